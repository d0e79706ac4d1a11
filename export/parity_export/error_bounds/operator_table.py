"""The table of operators in docs/explanation/proof.md, made from the rules.

python -m parity_export.error_bounds.operator_table [docs/explanation/proof.md]

prints it, or writes it into a page, between the comments `BEGIN` and `END`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.registry import RULES

BEGIN = "<!-- operators: python -m parity_export.error_bounds.operator_table docs/explanation/proof.md -->"
END = "<!-- end of operators -->"


def operator_table() -> str:
    """Return the table in Markdown, a line a rule, without a line's end at its end."""
    lines = ["| operator | opset | ATen operators | error bound |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_line(rule) for rule in RULES)])


def _line(rule: OperatorRule) -> str:
    name = f"{rule.name} (ends in {rule.ends_in})" if rule.ends_in else rule.name
    aten = ", ".join(f"`{operator.name}`" for operator in rule.aten) or f"none: {rule.no_aten}"
    return f"| {name} | {rule.opset} | {aten} | {rule.formula} |"


def with_table(page: str) -> str:
    """Return a page with the table of now.

    Raises:
        ValueError: it has not both comments, each once and in their order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}, once each, in this order")
    return f"{before}{BEGIN}\n{operator_table()}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Print the table, or write it into the page that is named."""
    if not arguments:
        sys.stdout.write(operator_table() + "\n")
        return 0
    path = Path(arguments[0])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
