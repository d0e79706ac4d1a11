"""The texts of an image of ``parity serve``: Dockerfile, compose file, and what the service is told."""

import json
from collections.abc import Sequence

from parity_runtime.deployment.deployed_model import PackageOptions

EXTRAS = ("cpu", "serve")
"""Of Parity, that the image gets."""

# http.client asks no proxy of the environment, as urllib would.
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


def dockerfile(base: str, wheel: str, arguments: Sequence[str]) -> str:
    """Return a Dockerfile, without its first line.

    Args:
        base: an image with Python and pip.
        wheel: the file of Parity's wheel.
        arguments: of ``parity serve``, but where it listens.
    """
    return _DOCKERFILE.format(
        base=base,
        wheel=wheel,
        extras=",".join(EXTRAS),
        user=_USER,
        health=json.dumps(["python", "-c", _HEALTH]),
        entry=json.dumps(["parity", "serve", "--host", "0.0.0.0", "--port", "8000"]),  # noqa: S104 -- in a container
        arguments=json.dumps(arguments, ensure_ascii=False),
    )


def compose_file(memory: int) -> str:
    """Return ``compose.yaml``.

    Args:
        memory: the limit in MiB.
    """
    return _COMPOSE.format(memory=memory)


def ignored_files(wheel: str) -> str:
    """Return ``.dockerignore``: everything but what the image gets."""
    return _IGNORED.format(wheel=wheel)


def serve_arguments(packages: Sequence[tuple[str, str]], taken: PackageOptions) -> list[str]:
    """Return what ``parity serve`` is told: of one package also its id, which a changed image would not have.

    Args:
        packages: name and id of each.
        taken: what is taken of them.
    """
    told = [f"/packages/{name}" for name, _ in packages]
    told += ["--digest", packages[0][1]] if len(packages) == 1 else []
    told += ["--certified"] if taken.certified else []
    return told + [part for name in taken.allow_operators for part in ("--allow-operator", name)]
