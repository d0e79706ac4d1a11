"""Proof: a graph that computes, beside every value, how far any compliant backend may be from the exact one."""

from parity_export.error_bounds.errors import CannotCertifyError
from parity_export.error_bounds.propagate import functions_of, propagate_error_bounds

__all__ = ["CannotCertifyError", "functions_of", "propagate_error_bounds"]
