"""``parity deploy``."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, operators_option
from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions
from parity_runtime.deployment.docker_image import DockerOptions, deploy_docker
from parity_runtime.deployment.inference_service import MANIFEST_FILE, REPOSITORY_FOLDER, KServeOptions, deploy_kserve
from parity_runtime.deployment.model_config import TritonOptions
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.deployment.triton_repository import deploy_triton

_Option = Callable[[Any], Any]

_PACKAGES: list[_Option] = [
    click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...", type=click.Path(path_type=Path)),
    click.option("--out", "target", required=True, type=click.Path(path_type=Path), help="The folder to write."),
    click.option("--force", "replace", is_flag=True, help="Replace a folder that this command wrote."),
    click.option("--certified", is_flag=True, help="Serve the certified graphs: error bound, and certified."),
    digest_option,
    operators_option,
]

_TRITON: list[_Option] = [
    click.option("--max-rows", default=1024, type=click.IntRange(1, 2**31 - 1), help="The largest batch."),
    click.option("--instances", default=1, type=click.IntRange(1, 1024), help="Of each model; with GPUs on each."),
    click.option("--threads", default=1, type=click.IntRange(1, 1024), help="Threads within an operator."),
    click.option("--gpus", default=0, type=click.IntRange(0, 1024), help="GPUs to run on; 0 is the CPU."),
]

_memory_option: _Option = click.option(
    "--memory", metavar="MIB", type=click.IntRange(64), help="The limit [default: from the packages' sizes]."
)


def _taking(*options: _Option) -> _Option:
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(options), command)


@click.group()
def deploy() -> None:
    """Write what another server reads, from the packages' contracts.

    Every file is checked, and the test vectors are replayed, before anything is written.
    """


@deploy.command(context_settings={"show_default": True})
@_taking(*_PACKAGES, *_TRITON)
def triton(packages: tuple[Path, ...], target: Path, replace: bool, **options: Any) -> None:
    """Write a model repository for NVIDIA's Triton."""
    taken, served = _taken(options), TritonOptions(**options)
    _say(deploy_triton(packages, target, taken, served, replace=replace), target, served)


@deploy.command(context_settings={"show_default": True})
@_taking(*_PACKAGES, *_TRITON)
@click.option("--storage-uri", required=True, help="Where the folder models will lie: s3://bucket/models, say.")
@click.option("--name", help="The service's [default: the model's].")
@click.option("--runtime-version", default="25.12-py3", help="The tag of Triton's image.")
@_memory_option
def kserve(packages: tuple[Path, ...], target: Path, replace: bool, storage_uri: str, **options: Any) -> None:
    """Write an InferenceService for KServe, and the model repository that Triton reads there."""
    taken = _taken(options)
    service = {name: options.pop(name) for name in ("name", "runtime_version", "memory")}
    served = KServeOptions(storage_uri, **service, triton=TritonOptions(**options))
    models = deploy_kserve(packages, target, taken, served, replace=replace)
    _say(models, target / REPOSITORY_FOLDER, served.triton)
    echo_line(f"{target / MANIFEST_FILE}: for kubectl apply, once {target / REPOSITORY_FOLDER} lies at {storage_uri}")


@deploy.command()
@_taking(*_PACKAGES)
@click.option(
    "--wheel", required=True, type=click.Path(path_type=Path), help="Of this Parity: pip wheel --no-deps makes it."
)
@click.option("--base", help="An image with Python and pip [default: the slim one of this Python].")
@_memory_option
def docker(packages: tuple[Path, ...], target: Path, replace: bool, **options: Any) -> None:
    """Write an image of parity serve with the packages in it, and a compose file."""
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
