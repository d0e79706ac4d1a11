"""Every parser of files that somebody else may have written, as a function of bytes: a result, or one of our errors.

What a target lets through any other exception of is a finding, and so is a sentence that is long or does not print.
torch is imported by the targets that need it, when they are first asked.
"""

import functools
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parity_runtime import ModelContract, ParityError, TensorSpec
from parity_runtime.drift.drift_report import drift_report
from parity_runtime.drift.profile import Profile
from parity_runtime.drift.table_counts import TableCounts
from parity_runtime.files.json_file import parse_json
from parity_runtime.package.manifest import Package
from parity_runtime.package.model_scan import scan_model
from parity_runtime.package.summary import summarize
from parity_runtime.printable import SCREEN, printable
from parity_runtime.tables.csv_file import csv_chunks
from parity_runtime.tables.json_lines import json_chunks
from parity_runtime.tables.npy_file import npy_chunks
from parity_runtime.verification.test_vectors import VectorSet

Target = Callable[[bytes], object]

_COLUMNS = ("x1", "x2")
_MIXED = Path(__file__).parent.parent / "data" / "mixed"
_ROWS = 3  # of a chunk, so that small tables have several


def fuzz(name: str, data: bytes) -> None:
    """Give bytes to a target; its errors must be ours, in one printable line of a screen at most."""
    try:
        TARGETS[name](data)
    except ParityError as error:
        text = str(error)
        assert 0 < len(text) <= SCREEN and text.isprintable(), repr(text)
    except MemoryError as error:
        raise AssertionError(f"{name} took memory: {error}") from error


def _model(data: bytes) -> object:
    return scan_model(data, "model.onnx", external={"w"}, allowed={"com.microsoft::Gelu"})


def _manifest(data: bytes) -> object:
    package = Package(Path("package"), data)
    return package.entries, package.tensors


def _contract(data: bytes) -> object:
    contract = ModelContract.from_json(parse_json(data, "contract.json"), "contract.json")
    assert ModelContract.from_json(contract.to_json()) == contract
    return [printable(line) for line in summarize(contract)]


def _conformance(data: bytes) -> object:
    return VectorSet.from_json(parse_json(data, "conformance.json"), "conformance.json")


def _profile(data: bytes) -> object:
    package = Package.open(_MIXED)
    profile = Profile.from_json(parse_json(data, "profile.json"), package.contract, "profile.json")
    assert Profile.from_json(profile.to_json(), package.contract, "profile.json").to_json() == profile.to_json()
    counts = TableCounts(package.contract, profile)
    vectors = VectorSet.from_json(package.read_json("conformance.json"), "conformance.json")
    counts.update(vectors.ordinary.inputs)
    return drift_report(counts).to_json()


def _csv(data: bytes) -> object:
    return [_cells(chunk) for chunk in csv_chunks(io.BytesIO(data), "table.csv", _ROWS)]


def _json_lines(data: bytes) -> object:
    return [_cells(chunk) for chunk in json_chunks(io.BytesIO(data), "table.jsonl", _ROWS)]


def _npy(data: bytes) -> object:
    return [_cells(chunk) for chunk in npy_chunks(str(_file(data, ".npy")), _ROWS, _COLUMNS)]


def _cells(chunk: Any) -> object:
    names = chunk.columns[:3]
    matrix, refused = chunk.read(names)
    kinds = [(chunk.categories(name), chunk.categories(name, "code"), _dates(chunk, name)) for name in names]
    return matrix, refused, kinds, [chunk.column(name) for name in names] if not refused else None


def _dates(chunk: Any, name: str) -> object:
    """Read a column as text, as dates of both spellings, and as truth values; each its rows, and nothing but rows."""
    read = [chunk.timestamps(name), chunk.timestamps(name, "%d.%m.%Y"), chunk.booleans(name)]
    assert all(0 <= row < len(chunk) for _, refused in read for row in refused)
    assert {*map(type, chunk.categories(name))} <= {str}
    return read


def _tensor_spec(data: bytes) -> object:
    text = data.decode(errors="surrogateescape")
    spec = TensorSpec.parse(text)
    assert TensorSpec.parse(str(spec)) == spec
    return spec


def _recipe(data: bytes) -> object:
    from parity_training.recipe import Recipe

    return Recipe.from_json(parse_json(data, "recipe.json"), "recipe.json").shapes()


def _weights(data: bytes) -> object:
    from parity_training import load_state_dict

    return load_state_dict(_file(data, ".pt"))


def _safetensors(data: bytes) -> object:
    from parity_training import load_state_dict

    return load_state_dict(_file(data, ".safetensors"))


def _checkpoint(data: bytes) -> object:
    from parity_training.fitting.checkpoint import CHECKPOINT, restore

    (Path(_folder()) / CHECKPOINT).write_bytes(data)
    return restore(Path(_folder()), _training())


@functools.cache
def _training() -> Any:
    from parity_training.data.xor import XORSettings, xor_data
    from parity_training.fitting.prepare import NetworkChoice, make_recipe, prepare
    from parity_training.settings import TrainSettings

    problem = xor_data(XORSettings(size=16, validation_size=4, test_size=4))
    settings = TrainSettings(epochs=1)
    recipe = make_recipe(problem, NetworkChoice("XORClassifier"), settings)
    return prepare(problem, recipe, None, settings)


def _file(data: bytes, suffix: str) -> Path:
    path = Path(_folder()) / f"fuzz{suffix}"
    path.write_bytes(data)
    return path


@functools.cache
def _folder() -> str:
    in_memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
    return tempfile.mkdtemp(prefix="parity-fuzz-", dir=in_memory)


TARGETS: dict[str, Target] = {
    "model": _model,
    "manifest": _manifest,
    "contract": _contract,
    "conformance": _conformance,
    "profile": _profile,
    "csv": _csv,
    "json_lines": _json_lines,
    "npy": _npy,
    "tensor_spec": _tensor_spec,
    "recipe": _recipe,
    "weights": _weights,
    "safetensors": _safetensors,
    "checkpoint": _checkpoint,
}
"""By the name of their corpus in tests/data/fuzz."""
