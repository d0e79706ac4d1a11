"""Cells that a spreadsheet would run as formulas."""

from parity_runtime.tables.chunk import number

_STARTS = ("=", "+", "-", "@", "\t", "\r")
# OWASP, "CSV Injection": https://owasp.org/www-community/attacks/CSV_Injection


def harmless(cell: str) -> str:
    """Return a cell that a spreadsheet shows as text: with an apostrophe before what it would run.

    Numbers stay as they are, negative ones too.
    """
    if not cell.lstrip(" ").startswith(_STARTS):
        return cell
    try:
        number(cell)
    except ValueError:
        return f"'{cell}"
    return cell
