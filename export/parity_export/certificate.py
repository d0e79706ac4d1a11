"""What a package's certified graph says of many rows: how many labels are proven, how large the radii are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.certify import certify, functions_of
from parity_export.certify.elementary import backends
from parity_export.engines import Engine
from parity_export.probes import SEED
from parity_runtime import InputError, ModelContract
from parity_runtime.contract import CERTIFIED, LABEL, RADIUS, certified_contract
from parity_runtime.inputs import Arrays, table_inputs
from parity_runtime.loading import load_model
from parity_runtime.package import REPORT, Package
from parity_runtime.tables.features import table_features
from parity_runtime.tables.reading import TableFile

DRAWN_ROWS = 100_000
"""Where there is no table; seeded, so that they are the same on every machine."""

_CHUNK = 50_000


@dataclass(frozen=True)
class CertifiedModel:
    """A certified graph that can be asked.

    Attributes:
        contract: of the certified graph, with ``radius`` and ``certified`` among the outputs.
        package_id: of the package that it is from.
        graph: serialized.
        measured: backends whose elementary functions were measured or are documented.
        torch_gaps: why it does not speak for the torch module; None where that is unknown.
    """

    contract: ModelContract
    package_id: str
    graph: bytes
    measured: Sequence[str]
    torch_gaps: Sequence[str] | None = None

    @classmethod
    def open(cls, path: str | Path) -> "CertifiedModel":
        """Take a package's certified graph, or certify its graph now.

        Raises:
            CannotCertifyError: an operator has no rule.
            ParityError: the package cannot be opened.
        """
        package = Package.open(path)
        contract = certified_contract(package.contract)
        plain = load_model(path, package.id).data
        measured = backends(functions_of(plain, package.contract))
        if "certified" in package.contract.graphs:
            proof = package.read_json(REPORT).get("proof")
            gaps = proof.get("torch_gaps") if isinstance(proof, dict) else None
            return cls(contract, package.id, load_model(path, package.id, certified=True).data, measured, gaps)
        return cls(contract, package.id, certify(plain, package.contract), measured)


class Answers:
    """Answers rows of features with every output of a certified graph.

    Args:
        model: the graph and its contract.
    """

    def __init__(self, model: CertifiedModel) -> None:
        self._contract = model.contract
        self._answer = Engine("onnxruntime", optimization="all").load(model.graph, model.contract)

    def __call__(self, rows: NDArray[Any]) -> Arrays:
        """Return the outputs by name for ``rows [batch, features]``."""
        return self._answer(table_inputs(self._contract, rows))


@dataclass
class Certificate:
    """What was found over some rows.

    Attributes:
        rows: how many were asked.
        certified: of them, rows whose label is proven; of a regression, rows with a finite radius.
        largest_radius: of the finite ones, in the output's unit; 0 if there is none.
        median_radius: of the finite ones.
        unproven: the others: a row of features, what was answered, and the radius.
    """

    rows: int
    certified: int
    largest_radius: float
    median_radius: float
    unproven: "list[Unproven]"

    @property
    def share(self) -> float:
        """Which part of the rows is certified."""
        return self.certified / self.rows if self.rows else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the rows."""
        return {"rows": self.rows, "certified": self.certified, "share": self.share,
                "largest_radius": self.largest_radius, "median_radius": self.median_radius}  # fmt: skip


@dataclass(frozen=True)
class Unproven:
    """One row whose label is not proven.

    Attributes:
        row: its number, from 1.
        features: in the contract's order.
        answer: the logits or values.
        radius: of each of them; infinite where nothing is claimed.
        label: the class that was answered; None for a regression.
    """

    row: int
    features: NDArray[np.float64]
    answer: NDArray[np.float32]
    radius: NDArray[np.float32]
    label: str | int | None


def certify_rows(model: CertifiedModel, chunks: Iterable[NDArray[np.float64]]) -> Certificate:
    """Ask a certified graph.

    Args:
        model: the graph and its contract.
        chunks: rows of features, each ``[rows, features]``.
    """
    answers, radii, unproven, rows, certified = Answers(model), [], [], 0, 0
    for chunk in chunks:
        found = answers(chunk)
        finite = np.isfinite(found[RADIUS]).all(axis=1)
        proven = found.get(CERTIFIED, finite)
        unproven += [_unproven(model.contract, rows, int(row), chunk, found) for row in np.flatnonzero(~proven)]
        radii.append(found[RADIUS][finite].max(axis=1))
        rows, certified = rows + len(chunk), certified + int(proven.sum())
    known = np.concatenate([np.zeros(0, np.float32), *radii])
    largest, median = (float(known.max()), float(np.median(known))) if len(known) else (0.0, 0.0)
    return Certificate(rows, certified, largest, median, unproven)


def _unproven(contract: ModelContract, before: int, index: int, chunk: NDArray[np.float64], found: Arrays) -> Unproven:
    answer = found[contract.bounded][index]
    label = contract.classes[int(found[LABEL][index])] if contract.is_classifier else None
    return Unproven(before + index + 1, chunk[index], answer, found[RADIUS][index], label)


def table_chunks(model: CertifiedModel, name: str) -> Iterator[NDArray[np.float64]]:
    """Read a table's features, some thousand rows at a time."""
    for table in TableFile.named(name).chunks(_CHUNK):
        yield table_features(model.contract, table)


def drawn_chunks(model: CertifiedModel) -> Iterator[NDArray[np.float64]]:
    """Draw rows evenly over what the features ranged over in training, a quarter of the range wider on both sides.

    Raises:
        InputError: the model takes no table, or its features' ranges are unknown.
    """
    low, high = ranges(model.contract)
    random = np.random.default_rng(SEED)
    margin = (high - low) / 4
    for _ in range(0, DRAWN_ROWS, _CHUNK):
        yield random.uniform(low - margin, high + margin, (_CHUNK, len(low))).astype(np.float32).astype(np.float64)


def ranges(contract: ModelContract) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest value of each feature as seen in training, each ``[features]``.

    Raises:
        InputError: they are unknown.
    """
    features = contract.columns
    known = [(feature.low, feature.high) for feature in features if None not in (feature.low, feature.high)]
    if not known or len(known) != len(features):
        raise InputError(f"nothing says what {contract.name} is asked; give a table of rows")
    low, high = np.array(known, np.float64).T
    return low, high
