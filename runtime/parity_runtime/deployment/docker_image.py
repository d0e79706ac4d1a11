"""An image of ``parity serve`` with packages in it, and how to run it with few rights."""

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions, open_models
from parity_runtime.deployment.dockerfile import EXTRAS, compose_file, dockerfile, ignored_files, serve_arguments
from parity_runtime.deployment.memory_limit import memory_limit
from parity_runtime.deployment.pinned_versions import pinned_versions, wheel_requirements
from parity_runtime.deployment.written_folder import check_folder, header, written_folder
from parity_runtime.errors import InputError
from parity_runtime.printable import shown

_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9_.:/@-]*")


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """How an image is made.

    Attributes:
        wheel: of this version of Parity.
        base: an image with Python and pip; None takes the slim one of the Python that runs here.
        memory: the limit in MiB; None takes `memory_limit`.
    """

    wheel: Path
    base: str | None = None
    memory: int | None = None


def deploy_docker(
    packages: Sequence[str | Path],
    target: Path,
    taken: PackageOptions,
    options: DockerOptions,
    *,
    replace: bool = False,
) -> list[DeployedModel]:
    """Write a folder that ``docker build`` takes, whole or not at all, and return what is in it.

    Args:
        packages: their folders.
        target: the folder.
        taken: what is taken of the packages.
        options: how the image is made.
        replace: replace a folder that this function wrote.

    Raises:
        ParityError: a package or the wheel cannot be read, or the folder exists and is not to be replaced.
    """
    check_folder(target, "docker", replace=replace)
    base = _base(options)
    pinned = pinned_versions(wheel_requirements(options.wheel, EXTRAS), EXTRAS)
    models = open_models(packages, taken)
    memory = options.memory or memory_limit(sum(model.model_bytes for model in models))
    wheel = options.wheel.name
    with written_folder(target, "docker", replace=replace) as staging:
        (staging / "constraints.txt").write_text("".join(f"{name}=={pinned[name]}\n" for name in pinned))
        shutil.copyfile(options.wheel, staging / wheel)
        for model in models:
            model.copy_package(staging / "packages" / model.name)
        told = serve_arguments([(model.name, model.package.id) for model in models], taken)
        (staging / "Dockerfile").write_text(header("docker") + dockerfile(base, wheel, told), encoding="utf-8")
        (staging / "compose.yaml").write_text(compose_file(memory))
        (staging / ".dockerignore").write_text(ignored_files(wheel))
    return models


def _base(options: DockerOptions) -> str:
    base = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim" if options.base is None else options.base
    if not _IMAGE.fullmatch(base):
        raise InputError(f"{argument('base')} is {shown(base)}, not the name of an image, such as python:3.13-slim")
    return base
