"""Greater: a comparison, which only torch's Softplus may choose by."""

from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.worst_case_graphs import softplus_cases

OPERATOR = OperatorRule(
    "Greater",
    "none; only torch's Softplus may choose by it",
    None,
    lambda: softplus_cases("Greater"),
    no_aten="a part of torch's Softplus, ThresholdedSoftplus",
)
