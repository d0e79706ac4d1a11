"""An image of ``parity serve`` with packages in it, and how to run it with few rights."""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions, open_models
from parity_runtime.deployment.memory_limit import memory_limit
from parity_runtime.deployment.pinned_versions import pinned_versions, wheel_requirements
from parity_runtime.deployment.written_folder import check_folder, header, written_folder
from parity_runtime.errors import InputError
from parity_runtime.printable import shown

EXTRAS = ("cpu", "serve")
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*")
_HEALTH = (
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=2); "
    "c.request('GET', '/v2/health/ready'); raise SystemExit(c.getresponse().status != 200)"
)
_USER = "10001:10001"

_DOCKERFILE = """\
FROM {base}
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY {wheel} constraints.txt /install/
RUN pip install --no-cache-dir --disable-pip-version-check -c /install/constraints.txt "/install/{wheel}[{extras}]"
COPY --chown={user} packages /packages
USER {user}
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD {health}
ENTRYPOINT {entry}
CMD {arguments}
"""

_COMPOSE = """\
services:
  parity:
    build: .
    ports: ["127.0.0.1:8000:8000"]
    read_only: true
    tmpfs: ["/tmp:size=16m,mode=1777,noexec,nosuid,nodev"]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: {memory}m
    pids_limit: 128
    stop_grace_period: 40s
    restart: unless-stopped
"""

_IGNORED = """\
*
!packages
!constraints.txt
!{wheel}
"""


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
        dockerfile = _dockerfile(base, wheel, _arguments(models, taken))
        (staging / "Dockerfile").write_text(header("docker") + dockerfile, encoding="utf-8")
        (staging / "compose.yaml").write_text(_COMPOSE.format(memory=memory))
        (staging / ".dockerignore").write_text(_IGNORED.format(wheel=wheel))
    return models


def _dockerfile(base: str, wheel: str, arguments: list[str]) -> str:
    return _DOCKERFILE.format(
        base=base,
        wheel=wheel,
        extras=",".join(EXTRAS),
        user=_USER,
        health=json.dumps(["python", "-c", _HEALTH]),
        entry=json.dumps(["parity", "serve", "--host", "0.0.0.0", "--port", "8000"]),  # noqa: S104 -- in a container
        arguments=json.dumps(arguments, ensure_ascii=False),
    )


def _arguments(models: Sequence[DeployedModel], taken: PackageOptions) -> list[str]:
    """Return what ``parity serve`` is told: of one package also its id, which a changed image would not have."""
    told = [f"/packages/{model.name}" for model in models]
    told += ["--digest", models[0].package.id] if len(models) == 1 else []
    told += ["--certified"] if taken.certified else []
    return told + [part for name in taken.allow_operators for part in ("--allow-operator", name)]


def _base(options: DockerOptions) -> str:
    base = options.base or f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    if not _IMAGE.fullmatch(base):
        raise InputError(f"{argument('base')} is {shown(base)}, no name of an image; python:3.13-slim is one")
    return base
