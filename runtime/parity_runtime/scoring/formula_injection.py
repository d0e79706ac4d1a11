"""Cells that a spreadsheet would run as formulas."""

from parity_runtime.tables.cell_values import plain_number

_STARTS = ("=", "+", "-", "@", "\t", "\r")
# OWASP, "CSV Injection": https://owasp.org/www-community/attacks/CSV_Injection


def neutralize_formulas(cell: str) -> str:
    """Return a cell that a spreadsheet shows as text: with an apostrophe before what it would run.

    Numbers stay as they are, negative ones too.
    """
    if not cell.strip() or not cell.lstrip(" ").startswith(_STARTS):
        return cell
    try:
        plain_number(cell)
    except ValueError:
        return f"'{cell}"
    return cell
