"""Proof: a graph that computes, beside every value, how far any compliant backend may be from the exact one."""

from parity_export.certify.errors import CannotCertifyError
from parity_export.certify.transform import certify, functions_of

__all__ = ["CannotCertifyError", "certify", "functions_of"]
