"""A model, read and checked: from a package folder, or from a bare .onnx file that carries its contract."""

import hashlib
import warnings
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parity_runtime.arguments import argument
from parity_runtime.contract import METADATA_KEY, ModelContract, certified_contract
from parity_runtime.errors import DigestError, FormatError, InputError
from parity_runtime.files.json_file import parse_json
from parity_runtime.files.open_file import read_regular
from parity_runtime.operators import check_operators
from parity_runtime.package.entries import WEIGHTS
from parity_runtime.package.inline_tensors import LARGE, set_aside
from parity_runtime.package.manifest import Package, check_digest
from parity_runtime.package.model_scan import ModelFacts, scan_model
from parity_runtime.package.weights import Weights
from parity_runtime.printable import shown
from parity_runtime.tasks import no_certified_graph

LARGEST_MODEL = 2**31 - 1
"""Protobuf's own limit, in bytes."""


class UncheckedModelWarning(UserWarning):
    """A bare ``.onnx`` file was loaded. It has no digests, so nobody can tell whether it is the exported file."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """Everything that a session needs, in memory; it pickles.

    Attributes:
        contract: what the model takes and gives.
        data: the serialized ModelProto.
        widest_row: the largest number of elements that one row of any tensor has.
        package_id: sha256 of the package's manifest; None for a bare model.
        weights: the tensors that are handed over beside ``data``; None where all stand in it.
    """

    contract: ModelContract
    data: bytes = field(repr=False)
    widest_row: int
    package_id: str | None
    weights: Weights | None = None


def load_model(
    path: str | Path, digest: str | None = None, *, certified: bool = False, allow_operators: Collection[str] = ()
) -> LoadedModel:
    """Read a package folder, or a bare ``.onnx`` file with the contract in its metadata.

    Args:
        path: the folder or the file.
        digest: of a package the expected package id, of a bare file the expected sha256; None takes any.
        certified: read the certified graph (a bare file must be one); its outputs stand in the contract then.
        allow_operators: operators outside the standard that may run, ``com.microsoft::Gelu`` say.

    Raises:
        InputError: there is nothing to read at ``path``, or no certified graph.
        DigestError: a file is not the one that was packaged, or not the one that ``digest`` names.
        FormatError: a file is malformed, newer than this version, keeps data elsewhere, or uses custom operators.
    """
    path, allowed = Path(path), check_operators(allow_operators)
    try:
        bare = path.exists() and not path.is_dir()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    model = _from_file(path, digest, allowed) if bare else _from_folder(path, digest, allowed, certified=certified)
    return replace(model, contract=certified_contract(model.contract)) if certified else model


def _from_folder(path: Path, digest: str | None, allowed: frozenset[str], *, certified: bool) -> LoadedModel:
    package = Package.open(path, digest)
    try:
        return _from_package(package, allowed, certified=certified)
    except DigestError:
        if not package.was_replaced():
            raise
    return _from_folder(path, digest, allowed, certified=certified)  # its first files were the old package's


def _from_package(package: Package, allowed: frozenset[str], *, certified: bool) -> LoadedModel:
    name = package.contract.graphs.get("certified" if certified else "default")
    if name is None:
        raise InputError(no_certified_graph(package.path, package.contract.task))
    where = str(package.path / name)
    if name in package.entries and package.entries[name].size > LARGEST_MODEL:
        raise FormatError(f"{where} is larger than 2 GiB, which no ONNX model in one file can be")
    model = package.read(name)
    facts = scan_model(model, where, external=package.tensors, allowed=allowed)
    if not _same_json(facts.metadata.get(METADATA_KEY), package.contract_json):
        raise DigestError(f"{package.path}: contract.json and the contract inside the model disagree; export again")
    _check_listed(package.contract, facts, where)
    light, weights = (model, _weights(package, facts, where)) if facts.external else _in_parts(model)
    return LoadedModel(package.contract, light, facts.widest_row, package.id, weights)


def _in_parts(model: bytes) -> tuple[bytes, Weights | None]:
    """Return a model and its large tensors, if it is large: so onnxruntime holds them fewer times."""
    light, arrays = set_aside(model) if len(model) > LARGE else (model, {})
    return light, Weights.in_memory(arrays) if arrays else None


def _weights(package: Package, facts: ModelFacts, where: str) -> Weights:
    """Return the tensors of a graph that lie in weights.bin, where graph and manifest say the same of each."""
    for tensor in facts.external:
        entry = package.tensors[tensor.name]
        if (tensor.offset, tensor.length) != (entry.offset, entry.length):
            raise FormatError(
                f"{where} looks for {tensor.length} bytes of the tensor {shown(tensor.name)} at {tensor.offset} in "
                f"{WEIGHTS}, and the manifest says {entry.length} at {entry.offset}; export the package again"
            )
    return Weights.in_file(package.open_weights(), facts.external)


def _check_listed(contract: ModelContract, facts: ModelFacts, where: str) -> None:
    """Refuse operators outside the standard that the contract does not list: its readers were not told of them."""
    missing = facts.operators - set(contract.operators)
    if missing:
        raise FormatError(f"{where} uses {min(missing)}, which its contract does not list; export the package again")


def _from_file(path: Path, digest: str | None, allowed: frozenset[str]) -> LoadedModel:
    try:
        if path.stat().st_size > LARGEST_MODEL:
            raise FormatError(f"{path} is larger than 2 GiB, which no ONNX model in one file can be")
        model = read_regular(path, LARGEST_MODEL)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    facts = scan_model(model, str(path), allowed=allowed)
    contract = _contract_inside(facts, path)
    _check_listed(contract, facts, str(path))
    sha256 = hashlib.sha256(model).hexdigest()
    if digest is None:
        warnings.warn(
            f"{path} is a bare model: it has no digests, so nothing says that it is the one that was exported; "
            f"load its package, or pin it with {argument('digest', sha256)}",
            UncheckedModelWarning,
            stacklevel=4,
        )
    else:
        check_digest(sha256, digest, f"{path} is the file")
    light, weights = _in_parts(model)
    return LoadedModel(contract, light, facts.widest_row, None, weights)


def _contract_inside(facts: ModelFacts, path: Path) -> ModelContract:
    text = facts.metadata.get(METADATA_KEY)
    if text is None:
        raise FormatError(f'{path} has no contract in metadata_props["{METADATA_KEY}"]; parity export writes one')
    where = f"{path}: the contract inside"
    return ModelContract.from_json(parse_json(text.encode(), where), where)


def _same_json(text: str | None, contract: dict[str, Any]) -> bool:
    try:
        return text is not None and parse_json(text.encode(), "the contract inside") == contract
    except FormatError:
        return False
