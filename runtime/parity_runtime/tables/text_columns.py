"""Arrow tables whose columns of text are cells of a text file, which an engine has read without knowing their kinds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import Refused
from parity_runtime.tables.typed_rows import read_numbers


class TextColumns(ArrowChunk):
    """Some rows of an Arrow table; text is a number where it spells one, as in CSV."""

    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        matrix, refused = np.full((len(self), len(names)), np.nan), Refused()
        for place, name in enumerate(names):
            if self._is_text(name):
                read_numbers(self, name, matrix[:, place], refused)
            else:
                matrix[:, place] = self._numbers(name)
        return matrix, refused

    def _is_text(self, name: str) -> bool:
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        kind = self.batch.column(self.index(name)).type
        return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))
