"""Whether a model's operators are the ONNX standard's, functions of its own, or were allowed by name."""

import re
from collections.abc import Collection, Mapping

from parity_runtime.errors import FormatError, InputError
from parity_runtime.operators import allow, check_operators
from parity_runtime.printable import shown

_RUNTIME_DOMAINS = re.compile(
    r"(ai\.onnx|com\.microsoft|com\.ms|com\.intel|com\.xilinx|org\.pytorch|trt)(\..*)?|", re.S
)
"""Where runtimes have kernels of their own, which they prefer to a function of the same name in the file."""

_Names = set[tuple[str, str]]  # (domain, name)


def checked_operators(
    where: str, operators: _Names, functions: _Names, allowed: Collection[str] | None
) -> frozenset[str]:
    """Return the operators outside the standard that a model uses, as ``com.microsoft::Gelu``.

    Args:
        where: the model's name, for the error.
        operators: those of its nodes outside the standard's domains.
        functions: that it defines itself.
        allowed: operators that may run; None where nobody could allow any, and no way out says so.

    Raises:
        FormatError: one is neither allowed nor a function of the model's, or a function is in a runtime's own domain.
    """
    for domain, name in sorted(functions):
        if _RUNTIME_DOMAINS.fullmatch(domain):
            raise FormatError(
                f"{where} brings a function {shown(name)[1:-1]} of {shown(domain)}, a domain of the "
                "runtime's own operators: its kernel would run in place of that body; write the body into the "
                "graph (onnx.inliner.inline_local_functions)"
            )
    custom = {f"{domain}::{name}": (domain, name) for domain, name in operators - functions}
    refused = {text: custom[text] for text in custom if text not in (allowed or ())}
    if refused:
        domain, name = min(refused.values())
        raise FormatError(
            f"{where} uses the operator {shown(name)[1:-1]} of {shown(domain)}; only those of the ONNX standard are "
            f"run{'' if allowed is None else _way_out(refused)}"
        )
    return frozenset(custom)


def _way_out(refused: Mapping[str, tuple[str, str]]) -> str:
    """Return how operators are allowed, where all of them may be."""
    try:
        return f" unless others are allowed: {allow(check_operators(refused))}"
    except InputError:
        return ""
