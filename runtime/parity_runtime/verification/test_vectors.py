"""Test vectors of a package (recorded inputs and outputs), and their replay on the machine at hand.

Ordinary ones have float64 outputs (rounded to the output's dtype) on rows far from a decision, so that any
honest runner passes at the recorded rtol and atol. Hard probes lie near a decision: their logits are compared
with a recorded tolerance a row, and their labels only where the file says so.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.contract import LABEL
from parity_runtime.errors import FormatError
from parity_runtime.files.json_file import FORMAT, finite_number
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import shown
from parity_runtime.verification.tensor_json import array_from_json, array_to_json


class Runner(Protocol):
    """Anything that answers named inputs with named outputs, as `Predictor` does."""

    def run(self, inputs: dict[str, ArrayLike]) -> Arrays:
        """Return every output by name."""


@dataclass(frozen=True)
class OrdinaryVectors:
    """One batch that any runner must reproduce.

    Attributes:
        inputs: by name, one batch.
        outputs: float64 results rounded to the output's dtype, by name.
        rtol: relative tolerance against ``outputs``.
        atol: absolute tolerance, in the output's unit.
    """

    inputs: Arrays
    outputs: Arrays
    rtol: float
    atol: float


@dataclass(frozen=True)
class HardVectors:
    """One batch near the decisions of the model.

    Attributes:
        kinds: what each row is: ``boundary``, ``adversarial``, ...
        inputs: by name, one batch.
        outputs: float64 results rounded to the output's dtype: logits or values by name, and labels.
        tolerance: allowed absolute deviation of each float output, float64, of its shape.
        label_checked: bool ``[batch]``: whether the row's label is proven or far enough from the decision;
            empty where there are no labels.
    """

    kinds: tuple[str, ...]
    inputs: Arrays
    outputs: Arrays
    tolerance: Arrays
    label_checked: NDArray[np.bool_]


@dataclass(frozen=True)
class VectorSet:
    """What conformance.json holds."""

    ordinary: OrdinaryVectors
    hard: HardVectors | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with its format."""
        ordinary = {
            "inputs": _arrays_to_json(self.ordinary.inputs),
            "outputs": _arrays_to_json(self.ordinary.outputs),
            "rtol": self.ordinary.rtol,
            "atol": self.ordinary.atol,
        }
        hard = self.hard and {
            "kinds": list(self.hard.kinds),
            "inputs": _arrays_to_json(self.hard.inputs),
            "outputs": _arrays_to_json(self.hard.outputs),
            "tolerance": _arrays_to_json(self.hard.tolerance),
            "label_checked": array_to_json(self.hard.label_checked),
        }
        return {"format": FORMAT, "ordinary": ordinary, "hard": hard}

    @classmethod
    def from_json(cls, value: dict[str, Any], where: str) -> Self:
        """Read the JSON form.

        Raises:
            FormatError: a key is missing or of another type.
        """
        try:
            conformance = cls(_ordinary(value["ordinary"], where), _hard(value["hard"], where))
            _check_shapes(conformance)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            page = "docs/reference/package-format.md"
            raise FormatError(f"{where} is not written as {page} says: {shown(error)}") from error
        return conformance


def _ordinary(value: dict[str, Any], where: str) -> OrdinaryVectors:
    return OrdinaryVectors(
        _arrays_from_json(value["inputs"], where),
        _arrays_from_json(value["outputs"], where),
        finite_number(value["rtol"], f"{where}: rtol"),
        finite_number(value["atol"], f"{where}: atol"),
    )


def _hard(value: dict[str, Any] | None, where: str) -> HardVectors | None:
    if value is None:
        return None
    return HardVectors(
        tuple(map(str, value["kinds"])),
        _arrays_from_json(value["inputs"], where),
        _arrays_from_json(value["outputs"], where),
        _arrays_from_json(value["tolerance"], where),
        array_from_json(value["label_checked"], where).astype(bool),
    )


def _check_shapes(conformance: VectorSet) -> None:
    """Raise `ValueError` where the parts of one file do not fit one another."""
    hard = conformance.hard
    if hard is None:
        return
    shapes = {name: array.shape for name, array in hard.outputs.items()}
    for name, tolerance in hard.tolerance.items():
        if tolerance.shape != shapes.get(name):
            raise ValueError(f"the tolerance of {name} has the shape {tolerance.shape}, not {shapes.get(name)}")
    if LABEL in shapes and hard.label_checked.shape != shapes[LABEL]:
        raise ValueError(f"label_checked has the shape {hard.label_checked.shape}, not {shapes[LABEL]}")


@dataclass(frozen=True, slots=True)
class Deviation:
    """One output of one set of vectors, compared.

    Attributes:
        vectors: ``ordinary`` or ``hard``; ``, certified`` is added where the certified graph answered.
        output: its name.
        compared: how many values.
        failed: how many lie outside their tolerance.
        largest: the largest absolute deviation, in the output's unit; for labels, how many differ.
    """

    vectors: str
    output: str
    compared: int
    failed: int
    largest: float


def replay(conformance: VectorSet, runner: Runner) -> list[Deviation]:
    """Run every test vector through ``runner`` and compare its outputs by the file's rules."""
    ordinary = conformance.ordinary
    answers = runner.run(dict(ordinary.inputs))
    results = [
        _compare("ordinary", name, answers[name], expected, ordinary.atol + ordinary.rtol * _magnitude(expected))
        for name, expected in ordinary.outputs.items()
    ]
    hard = conformance.hard
    if hard is None:
        return results
    answers = runner.run(dict(hard.inputs))
    for name, expected in hard.outputs.items():
        if name not in answers:
            raise FormatError(f"the hard probes expect {shown(name)}, which is not an output of the model")
        found = answers[name]
        if name == LABEL:
            if found.shape == expected.shape:
                found, expected = found[hard.label_checked], expected[hard.label_checked]  # noqa: PLW2901
            results.append(_compare("hard", name, found, expected, np.zeros(1)))
        elif name in hard.tolerance:
            results.append(_compare("hard", name, found, expected, hard.tolerance[name]))
    return results


def _compare(
    vectors: str, output: str, found: NDArray[Any], expected: NDArray[Any], allowed: NDArray[np.float64]
) -> Deviation:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return Deviation(vectors, output, expected.size, expected.size, float("inf"))
    if expected.dtype.kind != "f":
        different = int(np.count_nonzero(found != expected))
        return Deviation(vectors, output, expected.size, different, float(different))
    distance = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    failed = ~(distance <= allowed)  # the negation counts NaN as a failure
    return Deviation(vectors, output, expected.size, int(np.count_nonzero(failed)), float(distance.max(initial=0.0)))


def _magnitude(array: NDArray[Any]) -> NDArray[np.float64]:
    return np.abs(array.astype(np.float64))


def _arrays_to_json(arrays: Arrays) -> dict[str, Any]:
    return {name: array_to_json(array) for name, array in arrays.items()}


def _arrays_from_json(value: Any, where: str) -> Arrays:
    return {name: array_from_json(item, f"{where}: {name}") for name, item in value.items()}
