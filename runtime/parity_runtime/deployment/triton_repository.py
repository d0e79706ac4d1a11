"""A model repository for NVIDIA's Triton, from packages."""

from collections.abc import Sequence
from pathlib import Path

from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions, open_models
from parity_runtime.deployment.model_config import LABELS_FILE, TritonOptions, has_labels, model_config
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.deployment.warm_up import WARM_UP_FOLDER, warm_up_tensors
from parity_runtime.deployment.written_folder import check_folder, header, written_folder
from parity_runtime.errors import InputError
from parity_runtime.package.manifest import CONTRACT, MODEL
from parity_runtime.printable import shown

CONFIG = "config.pbtxt"
_VERSION = "1"
_ZERO = "\0"


def deploy_triton(
    packages: Sequence[str | Path],
    target: Path,
    taken: PackageOptions,
    options: TritonOptions,
    *,
    replace: bool = False,
) -> list[DeployedModel]:
    """Write a model repository, whole or not at all, and return what is in it.

    Args:
        packages: their folders.
        target: the repository's folder.
        taken: what is taken of the packages.
        options: how Triton runs them.
        replace: replace a repository that this function wrote.

    Raises:
        ParityError: a package cannot be read or deployed, or the folder exists and is not to be replaced.
    """
    check_folder(target, "triton", replace=replace)
    models = open_models(packages, taken)
    with written_folder(target, "triton", replace=replace) as staging:
        write_repository(staging, models, options)
    return models


def write_repository(folder: Path, models: Sequence[DeployedModel], options: TritonOptions) -> None:
    """Write a folder for each model into one that exists.

    Raises:
        InputError: a model takes text that Triton does not hand on.
    """
    for model in models:
        check_text(model)
        _write_model(folder / model.name, model, options)


def _write_model(folder: Path, model: DeployedModel, options: TritonOptions) -> None:
    for source, name in zip(model.model_files, [MODEL, *model.model_files[1:]], strict=True):
        model.copy(source, folder / _VERSION / name)
    model.copy(CONTRACT, folder / CONTRACT)
    contract = model.contract
    if has_labels(contract):
        (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in contract.classes), encoding="utf-8")
    warm_up = warm_up_tensors(contract, model.vectors)
    (folder / WARM_UP_FOLDER).mkdir()
    for tensor in warm_up:
        (folder / WARM_UP_FOLDER / tensor.file).write_bytes(tensor.data)
    config = model_config(model, warm_up, options)
    (folder / CONFIG).write_text(f"{header('triton')}{_notes(model)}{config}", encoding="utf-8")


def _notes(model: DeployedModel) -> str:
    alone = why_not_merged(model.contract)
    notes = [f"# package {model.package.id}", f"# needs onnxruntime {model.contract.min_onnxruntime} or later"]
    notes += [] if alone is None else [f"# requests are not merged into batches: {alone}"]
    return "".join(f"{note}\n" for note in notes) + "\n"


def check_text(model: DeployedModel) -> None:
    """Refuse what Triton's backend for onnxruntime does to text: it ends at a zero byte, and is never a scalar.

    Raises:
        InputError: names the column or the input.
    """
    path = model.package.path
    for feature in model.contract.features:
        cut = next((text for text in feature.categories if _ZERO in text), None)
        if cut is not None:
            raise InputError(
                f"{path}: the category {shown(cut)} of {shown(feature.name)} holds a zero character, and Triton ends "
                "text there; serve the package with parity serve"
            )
    for spec in model.contract.inputs:
        if spec.dtype == "string" and not spec.shape:
            raise InputError(
                f"{path}: the input {shown(spec.name)} is one text without an axis, which Triton does not pass on; "
                "serve the package with parity serve"
            )
