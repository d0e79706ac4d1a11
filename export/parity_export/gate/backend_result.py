"""What one backend answered at one batch size: how far every output is from torch's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parity_export.gate.backends import Backend
from parity_export.gate.comparison import Difference


@dataclass(frozen=True)
class BackendResult:
    """One backend at one batch size, compared on ``rows`` probes.

    Attributes:
        backend: the backend and its configuration.
        batch: how many rows were asked at a time.
        dimensions: the sizes of the other dynamic dimensions.
        rows: how many probes were asked.
        differences: what was found, an output and a group of probes each.
    """

    backend: Backend
    batch: int
    dimensions: dict[str, int]
    rows: int
    differences: tuple[Difference, ...]

    @property
    def failed(self) -> bool:
        """Whether an output lies outside its tolerance, or nothing was compared although there were values."""
        return any(found.outside for found in self.differences) or self._compared_nothing

    @property
    def _compared_nothing(self) -> bool:
        values, compared = (sum(getattr(found, name) for found in self.differences) for name in ("values", "compared"))
        return compared == 0 and (values > 0 or not self.differences)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self.backend.to_json() | {
            "batch": self.batch,
            "dimensions": self.dimensions,
            "rows": self.rows,
            "differences": [difference.to_json() for difference in self.differences],
        }

    def reasons(self) -> Iterator[str]:
        """Yield why this result failed, a line each."""
        sizes = "".join(f", {name} {size}" for name, size in self.dimensions.items())
        where = f"{self.backend}, batch {self.batch}{sizes}"
        if self._compared_nothing:
            yield f"{where}: nothing was compared"
        for found in self.differences:
            if found.outside:
                distance = f", by up to {found.max_abs:.3g}" if found.max_abs else ""  # a label differs by nothing
                yield (
                    f"{where}: {found.outside} of {found.compared} values of {found.output} ({found.group} probes) "
                    f"differ{distance}"
                )
