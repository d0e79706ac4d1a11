"""The image's folder: what its commands do here, and what the container may not do."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from parity_runtime import InputError, MissingExtraError, Package, __version__, verify
from parity_runtime.deployment.deployed_model import PackageOptions
from parity_runtime.deployment.docker_image import DockerOptions, deploy_docker
from parity_runtime.deployment.pinned_versions import pinned_versions
from tests.deployment.conftest import DATA, PLAIN
from tests.python_path import python_path
from tests.unmeasured import unmeasured

ROOT = Path(__file__).parent.parent.parent
NAME = f"parity_onnx-{__version__}-py3-none-any.whl"
pytest.importorskip("fastapi", reason="the image gets what is installed here, and parity serve needs [serve]")


def metadata(name: str = "parity-onnx", number: str = __version__, extras: tuple[str, ...] = ("cpu", "serve")) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {number}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {one}" for one in project["dependencies"]]
    optional = project["optional-dependencies"]
    lines += [
        f"Requires-Dist: {one}; extra == '{extra}'" for extra in ("cpu", "serve", "train") for one in optional[extra]
    ]
    return "\n".join(lines) + "\n\n"


def wheel(folder: Path, text: str | None = None, name: str = NAME) -> Path:
    """Write a wheel that has nothing but its metadata."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr(f"parity_onnx-{__version__}.dist-info/METADATA", metadata() if text is None else text)
    return folder / name


def lines_of(folder: Path) -> dict[str, str]:
    """Return the Dockerfile's instructions; each stands there once but COPY."""
    lines = (folder / "Dockerfile").read_text().splitlines()
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in lines if not line.startswith("#")}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("docker")
    options = DockerOptions(wheel(base))
    deploy_docker([DATA / "xor_certified"], base / "image", PackageOptions(certified=True), options)
    return base / "image"


def test_the_image_holds_the_wheel_the_versions_and_the_package(image: Path) -> None:
    assert {path.name for path in image.iterdir()} == {
        "Dockerfile", "compose.yaml", ".dockerignore", "constraints.txt", "deployment.json", NAME, "packages"
    }  # fmt: skip
    pinned = dict(line.split("==") for line in (image / "constraints.txt").read_text().splitlines())
    for name in ("numpy", "click", "onnxruntime", "fastapi", "httptools", "orjson", "prometheus-client", "starlette"):
        assert pinned[name] == version(name)
    assert "torch" not in pinned
    assert verify(image / "packages" / "xor").package_id == Package.open(DATA / "xor_certified").id
    assert (image / ".dockerignore").read_text().splitlines() == ["*", "!packages", "!constraints.txt", f"!{NAME}"]


def test_the_dockerfile(image: Path) -> None:
    lines = lines_of(image)
    assert lines["FROM"] == f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    assert lines["RUN"].endswith(f'-c /install/constraints.txt "/install/{NAME}[cpu,serve]"')
    assert int(lines["USER"].partition(":")[0]) > 0
    told = json.loads(lines["CMD"])
    assert told == ["/packages/xor", "--digest", Package.open(DATA / "xor_certified").id, "--certified"]


def test_compose_gives_few_rights(image: Path) -> None:
    yaml = pytest.importorskip("yaml")
    (service,) = yaml.safe_load((image / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["mem_limit"] == "1280m" and "noexec" in service["tmpfs"][0]


@pytest.mark.slow
def test_the_images_command_answers_its_health_check(image: Path) -> None:
    lines = lines_of(image)
    start = [*json.loads(lines["ENTRYPOINT"]), *json.loads(lines["CMD"])]
    here = [str(image / part[1:]) if part.startswith("/packages/") else part for part in start]
    assert here[:3] == ["parity", "serve", "--host"]
    here[0] = str(Path(sys.executable).parent / "parity")
    server = subprocess.Popen([*here, "--port", "0", "--host", "127.0.0.1", "--drain", "0"], stdout=subprocess.PIPE,
                              text=True, cwd="/", env=unmeasured() | {"PYTHONPATH": python_path()})  # fmt: skip
    assert server.stdout is not None
    port = server.stdout.readline().rpartition(" ")[2].strip()
    _, _, check = lines["HEALTHCHECK"].partition("CMD ")
    program = [part.replace("8000", port) for part in json.loads(check)]
    program[0] = sys.executable
    assert subprocess.run(program, check=False, env={**os.environ, "http_proxy": "http://127.0.0.1:9"}).returncode == 0
    server.terminate()
    server.communicate(timeout=40)
    assert server.returncode == 0
    assert subprocess.run(program, check=False, capture_output=True).returncode != 0


def daemon() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], check=False, capture_output=True).returncode == 0


@pytest.mark.soak
@pytest.mark.slow
def test_the_image_is_built_and_healthy(tmp_path: Path) -> None:
    if not daemon():
        pytest.skip("no Docker daemon answers")
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, ROOT], check=True)
    deploy_docker([DATA / "xor"], tmp_path / "image", PLAIN, DockerOptions(tmp_path / NAME))
    compose = ["docker", "compose", "--project-directory", tmp_path / "image"]
    try:
        subprocess.run([*compose, "up", "--build", "--wait", "--wait-timeout", "120"], check=True)
    finally:
        subprocess.run([*compose, "down", "--rmi", "local"], check=True)


def test_several_packages_and_operators(tmp_path: Path) -> None:
    taken = PackageOptions(allow_operators=("com.microsoft::Gelu",))
    options = DockerOptions(wheel(tmp_path), "registry.example:5000/python@sha256:0a", memory=700)
    deploy_docker([DATA / "xor", DATA / "rent"], tmp_path / "image", taken, options)
    told = json.loads(lines_of(tmp_path / "image")["CMD"])
    assert told == ["/packages/xor", "/packages/rent", "--allow-operator", "com.microsoft::Gelu"]
    assert "mem_limit: 700m" in (tmp_path / "image" / "compose.yaml").read_text()
    deploy_docker([DATA / "xor"], tmp_path / "image", PLAIN, DockerOptions(wheel(tmp_path)), replace=True)
    assert [path.name for path in (tmp_path / "image" / "packages").iterdir()] == ["xor"]


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        (metadata(number="9.9"), NAME, "is 'parity_onnx.*' ('parity-onnx 9.9'), not a wheel of parity-onnx"),
        (metadata(name="other"), NAME, "('other 0"),
        (metadata(), "my wheel.whl", "not a wheel of"),
        (metadata(extras=("cpu",)), NAME, "has no extra serve: it is older than the code"),
    ],
)
def test_wheels_that_are_not_taken(tmp_path: Path, text: str, name: str, line: str) -> None:
    pattern = re.escape(line).replace(r"\.\*", ".*")
    with pytest.raises(InputError, match=f"{pattern}.*; make one in a checkout of Parity"):
        deploy_docker([DATA / "xor"], tmp_path / "image", PLAIN, DockerOptions(wheel(tmp_path, text, name)))
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"no zip", "it is not a wheel")])
def test_files_that_are_no_wheels(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / NAME
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"{NAME} cannot be read: {reason}.*; make one"):
        deploy_docker([DATA / "xor"], tmp_path / "image", PLAIN, DockerOptions(path))


def test_no_instruction_hides_in_the_name_of_an_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the name of an image, such as python:3.13-slim"):
        deploy_docker([DATA / "xor"], tmp_path / "image", PLAIN, DockerOptions(wheel(tmp_path), "python\nRUN evil"))


@pytest.mark.parametrize(
    ("required", "found"),
    [
        (["click>=8", "nothing-of-that-name; sys_platform == 'win32'"], {"click"}),
        (["click; extra == 'wanted'", "numpy; extra == 'other'"], {"click"}),
    ],
)
def test_versions_are_those_that_are_installed(required: list[str], found: set[str]) -> None:
    pinned: dict[str, Any] = pinned_versions(required, ["wanted"])
    assert set(pinned) == found and pinned["click"] == version("click")


def test_what_is_not_installed_has_no_version() -> None:
    with pytest.raises(MissingExtraError, match=r'nothing-of-that-name is not; from .*pip install "\.\[cpu,serve\]"'):
        pinned_versions(["nothing_of.that-name>=1; extra == 'serve'"], ["serve"])
