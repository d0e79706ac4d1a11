"""Files of a run or a package that are not written as the documentation says: one sentence, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parity_runtime import FormatError, ParityError
from parity_runtime.errors import first_line


@contextmanager
def well_formed(path: Path | str, names: str) -> Iterator[None]:
    """Raise `FormatError` where the block does not find in files what they should hold.

    Args:
        path: the run, or the package.
        names: of the files that are used in the block.
    """
    try:
        yield
    except ParityError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise FormatError(
            f"{path}: {names} is not written as docs/reference/run-format.md says "
            f"({type(error).__name__}: {first_line(error)}); train or export it again"
        ) from error
