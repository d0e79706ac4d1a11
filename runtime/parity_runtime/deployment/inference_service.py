"""An InferenceService for KServe, which Triton serves, and the model repository that it reads."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions, open_models
from parity_runtime.deployment.memory_limit import memory_limit
from parity_runtime.deployment.model_config import TritonOptions
from parity_runtime.deployment.triton_repository import write_repository
from parity_runtime.deployment.written_folder import check_folder, header, written_folder
from parity_runtime.errors import InputError
from parity_runtime.printable import shown

MANIFEST_FILE, REPOSITORY_FOLDER = "inferenceservice.yaml", "models"

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # of a service; Kubernetes makes a label of DNS of it
_STORAGE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"\\]+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class KServeOptions:
    """How KServe serves models.

    Attributes:
        storage_uri: where the repository will lie: ``s3://...``, ``gs://...``, ``pvc://CLAIM/...``.
        name: of the service; None takes the model's, where there is one.
        runtime_version: the tag of Triton's image; KServe's own default may be too old for packages.
        memory: the limit in MiB; None takes `memory_limit`.
        triton: how Triton runs them.
    """

    storage_uri: str
    name: str | None = None
    runtime_version: str = "25.12-py3"
    memory: int | None = None
    triton: TritonOptions = field(default_factory=TritonOptions)


def deploy_kserve(
    packages: Sequence[str | Path],
    target: Path,
    taken: PackageOptions,
    options: KServeOptions,
    *,
    replace: bool = False,
) -> list[DeployedModel]:
    """Write a manifest and a model repository, whole or not at all, and return what is in it.

    Args:
        packages: their folders.
        target: the folder for both.
        taken: what is taken of the packages.
        options: how KServe serves them.
        replace: replace a folder that this function wrote.

    Raises:
        ParityError: a package cannot be read or deployed, or the folder exists and is not to be replaced.
    """
    check_folder(target, "kserve", replace=replace)
    _check(options)
    models = open_models(packages, taken)
    manifest = inference_service(models, options)
    with written_folder(target, "kserve", replace=replace) as staging:
        write_repository(staging / REPOSITORY_FOLDER, models, options.triton)
        (staging / MANIFEST_FILE).write_text(manifest, encoding="utf-8")
    return models


def inference_service(models: Sequence[DeployedModel], options: KServeOptions) -> str:
    """Return the YAML of an InferenceService.

    Raises:
        InputError: the service has no name that Kubernetes takes.
    """
    cores = options.triton.instances * options.triton.threads
    memory = options.memory or memory_limit(sum(model.model_bytes for model in models), options.triton.instances)
    resources = {"cpu": str(cores * len(models)), "memory": f"{memory}Mi"}
    gpus = {"nvidia.com/gpu": str(options.triton.gpus)} if options.triton.gpus else {}
    lines = [
        *(f"# {shown(model.name)} is the package {model.package.id}" for model in models),
        "apiVersion: serving.kserve.io/v1beta1",
        "kind: InferenceService",
        "metadata:",
        f"  name: {_service_name(models, options)}",
        "spec:",
        "  predictor:",
        "    model:",
        "      modelFormat:",
        "        name: onnx",
        "      runtime: kserve-tritonserver",
        f"      runtimeVersion: {json.dumps(options.runtime_version)}",
        "      protocolVersion: v2",
        f"      storageUri: {json.dumps(options.storage_uri)}",
        "      resources:",
        *_quantities("requests", resources | gpus),
        *_quantities("limits", resources | gpus),
    ]
    return header("kserve") + "".join(f"{line}\n" for line in lines)


def _quantities(name: str, values: dict[str, str]) -> list[str]:
    return [f"        {name}:", *(f"          {key}: {json.dumps(value)}" for key, value in values.items())]


def _check(options: KServeOptions) -> None:
    if not options.storage_uri.isprintable() or not _STORAGE.fullmatch(options.storage_uri):
        raise InputError(
            f"{argument('storage_uri')} is {shown(options.storage_uri)}; say where the repository will be, "
            "such as s3://bucket/models, gs://bucket/models or pvc://claim/models"
        )
    if not _TAG.fullmatch(options.runtime_version):
        raise InputError(
            f"{argument('runtime_version')} is {shown(options.runtime_version)}, not the tag of an image, such as "
            "25.12-py3"
        )


def _service_name(models: Sequence[DeployedModel], options: KServeOptions) -> str:
    name = options.name if options.name is not None or len(models) != 1 else models[0].name
    if name is None:
        raise InputError(f"a service of {len(models)} models needs a name; add {argument('name', 'models')}")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"the service would be called {shown(name)}, and Kubernetes takes a letter of a-z, and then up to 62 of "
            f"a-z, 0-9 and -; add {argument('name', _suggested(name))}"
        )
    return name


def _suggested(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:63].strip("-")
    return plain or "model"
