"""IsNaN: a comparison, which only the Where that fills an input's missing values may choose by."""

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.worst_case_graphs import filled_cases

OPERATOR = OperatorRule(
    "IsNaN",
    "none; only a Where that fills an input's missing values may choose by it",
    None,
    lambda: filled_cases("IsNaN"),
    aten=aten("isnan"),
)
