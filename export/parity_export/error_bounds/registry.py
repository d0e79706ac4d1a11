"""The rules of all operators: one for each file of `operators`. An operator without a file cannot be certified."""

import pkgutil
from collections.abc import Iterable
from importlib import import_module

import onnx_ir as ir

from parity_export.error_bounds import operators
from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary
from parity_export.error_bounds.operator_rule import OperatorRule


def _discovered() -> dict[str, OperatorRule]:
    """Return what each file of `operators` says, by the file's name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(operators.__path__) if not module.ispkg)
    return {name: import_module(f"{operators.__name__}.{name}").OPERATOR for name in names}


def by_onnx_operator(rules: Iterable[OperatorRule]) -> dict[str, list[OperatorRule]]:
    """Return the rules by the ONNX operator of the node that they are asked for, patterns of several nodes first.

    Raises:
        ValueError: two files are of the same operator.
    """
    found: dict[str, list[OperatorRule]] = {}
    for rule in sorted(rules, key=lambda rule: not rule.ends_in):
        known = found.setdefault(rule.onnx, [])
        if not rule.ends_in and any(not other.ends_in for other in known):
            raise ValueError(f"two files of error_bounds/operators are of {rule.name}")
        known.append(rule)
    return found


FILES: dict[str, OperatorRule] = _discovered()
"""The rule of each file, by its name without ``.py``."""

RULES: tuple[OperatorRule, ...] = tuple(FILES.values())
"""All rules, in the order of their files."""

_BY_ONNX_OPERATOR = by_onnx_operator(RULES)

OPERATORS: dict[str, OperatorRule] = {rule.name: rule for rule in RULES if not rule.ends_in}
"""The rule of each ONNX operator alone, without the patterns that end in one."""

COMPARISONS = frozenset(rule.name for rule in RULES if rule.error_rule is None)
"""Operators whose result only the rule of Where may take."""

ELEMENTARY: dict[str, Elementary] = {function.name: function for rule in RULES for function in rule.functions}
"""Every function by its name in elementary_functions.json. ``Silu`` is what SiLU is exported to, x Sigmoid(x)."""

ATEN: dict[str, tuple[AtenOperator, OperatorRule]] = {
    operator.name: (operator, rule) for rule in RULES for operator in rule.aten
}
"""Every ATen operator for which a rule stands, and that rule."""


def rule_of(builder: BoundBuilder, node: ir.Node) -> OperatorRule | None:
    """Return the rule of a node; None if its operator has none."""
    for rule in _BY_ONNX_OPERATOR.get(node.op_type, []):
        if rule.matches is None or rule.matches(builder, node):
            return rule
    return None


def moving(*kinds: str) -> frozenset[str]:
    """Return the ONNX operators that change no element, of some kinds of `OperatorRule.moves`."""
    return frozenset(rule.name for rule in RULES if rule.moves in kinds)
