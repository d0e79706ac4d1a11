"""``parity deploy``."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, operators_option
from parity_runtime.cli.sectioned_help import SectionedGroup, section
from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions
from parity_runtime.deployment.docker_image import DockerOptions, deploy_docker
from parity_runtime.deployment.inference_service import MANIFEST_FILE, REPOSITORY_FOLDER, KServeOptions, deploy_kserve
from parity_runtime.deployment.model_config import TritonOptions
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.deployment.triton_repository import deploy_triton
from parity_runtime.version import __version__

_Option = Callable[[Any], Any]

_PACKAGES: list[_Option] = [
    click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...", type=click.Path(path_type=Path)),
    click.option("--out", "target", required=True, type=click.Path(path_type=Path), help="The folder to write."),
    click.option("--force", "replace", is_flag=True, help="Replace an existing folder that this command wrote."),
    click.option(
        "--certified", is_flag=True, help="Return the error bound of every prediction, and whether it is certified."
    ),
    digest_option,
    operators_option,
]

_triton = section("Triton")
_TRITON: list[_Option] = [
    _triton("--max-rows", default=1024, type=click.IntRange(1, 2**31 - 1), help="The largest batch, in rows."),
    _triton(
        "--instances",
        default=1,
        type=click.IntRange(1, 1024),
        help="Copies of each model that run at the same time; with GPUs, on each GPU.",
    ),
    _triton(
        "--threads",
        default=1,
        type=click.IntRange(1, 1024),
        help="Threads that onnxruntime uses within an operator.",
    ),
    _triton("--gpus", default=0, type=click.IntRange(0, 1024), help="GPUs to run on; 0 runs on the CPU."),
]


def _memory_option(option: Callable[..., _Option]) -> _Option:
    return option(
        "--memory",
        metavar="MIB",
        type=click.IntRange(64),
        help="The memory limit of the container, in MiB [default: from the packages' sizes].",
    )


def _taking(*options: _Option) -> _Option:
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(options), command)


@click.group(
    cls=SectionedGroup,
    examples=f"""
        # Write an image with parity serve and a package in it
        parity deploy docker packages/xor --wheel dist/parity_onnx-{__version__}-py3-none-any.whl --out image
        # Show the options of a command
        parity deploy triton --help
    """,
)
def deploy() -> None:
    """Write the files that another server needs to serve packages.

    Before it writes anything, it verifies each package as parity verify does.
    """


@deploy.command(
    context_settings={"show_default": True},
    examples="""
        # Write a model repository with two models, with two threads an operator
        parity deploy triton packages/xor packages/homes --threads 2 --out models
        # Run on one GPU, with two copies of the model
        parity deploy triton packages/xor --gpus 1 --instances 2 --out models
    """,
)
@_taking(*_PACKAGES, *_TRITON)
def triton(packages: tuple[Path, ...], target: Path, replace: bool, **options: Any) -> None:
    """Write a model repository for the NVIDIA Triton Inference Server."""
    taken, served = _taken(options), TritonOptions(**options)
    _say(deploy_triton(packages, target, taken, served, replace=replace), target, served)


_kserve = section("KServe")


@deploy.command(
    context_settings={"show_default": True},
    examples="""
        # Write the service, and the folder to upload to the bucket
        parity deploy kserve packages/xor --storage-uri s3://bucket/models --out kserve
    """,
)
@_taking(*_PACKAGES, *_TRITON)
@_kserve("--storage-uri", required=True, help="Where you will upload the folder models, such as s3://bucket/models.")
@_kserve("--name", help="The name of the service [default: the name of the model].")
@_kserve("--runtime-version", default="25.12-py3", help="The tag of the Triton image.")
@_memory_option(_kserve)
def kserve(packages: tuple[Path, ...], target: Path, replace: bool, storage_uri: str, **options: Any) -> None:
    """Write an InferenceService for KServe, and the model repository that its Triton server reads."""
    taken = _taken(options)
    service = {name: options.pop(name) for name in ("name", "runtime_version", "memory")}
    served = KServeOptions(storage_uri, **service, triton=TritonOptions(**options))
    models = deploy_kserve(packages, target, taken, served, replace=replace)
    _say(models, target / REPOSITORY_FOLDER, served.triton)
    echo_line(f"{target / MANIFEST_FILE}: for kubectl apply, once {target / REPOSITORY_FOLDER} lies at {storage_uri}")


_docker = section("Docker")


@deploy.command(
    examples=f"""
        # Write an image with parity serve and a package in it; the wheel is Parity's own
        parity deploy docker packages/xor --wheel dist/parity_onnx-{__version__}-py3-none-any.whl --out image
    """,
)
@_taking(*_PACKAGES)
@_docker(
    "--wheel",
    required=True,
    type=click.Path(path_type=Path),
    help="The wheel of this version of Parity; pip wheel --no-deps makes it from a checkout.",
)
@_docker(
    "--base", help="The image to start from; it has Python and pip [default: the slim image of this Python version]."
)
@_memory_option(_docker)
def docker(packages: tuple[Path, ...], target: Path, replace: bool, **options: Any) -> None:
    """Write a Dockerfile for parity serve with the packages in the image, and a Compose file."""
    taken = _taken(options)
    for model in deploy_docker(packages, target, taken, DockerOptions(**options), replace=replace):
        echo_line(f"{target / 'packages' / model.name} ({model.package.id})")
    echo_line(f"{target / 'compose.yaml'}: for docker compose up --build")


def _taken(options: dict[str, Any]) -> PackageOptions:
    return PackageOptions(**{name: options.pop(name) for name in ("digest", "certified", "allow_operators")})


def _say(models: Sequence[DeployedModel], repository: Path, options: TritonOptions) -> None:
    for model in models:
        alone = why_not_merged(model.contract)
        merged = f"batches of up to {options.max_rows} rows" if alone is None else f"no batches, since {alone}"
        echo_line(f"{repository / model.name} ({model.package.id}): {merged}")
