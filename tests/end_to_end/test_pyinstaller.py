"""docs/how-to/pyinstaller.md: its program, built beside what ``[cpu]`` brings, runs where there is no Python."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.host_page import HostPage

pytest.importorskip("PyInstaller", reason="pyinstaller is not installed")
pytestmark = pytest.mark.soak  # 18 s of processor time, of PyInstaller's own

BUILD_ENV = {
    "parity_runtime": (), "click": ("click",), "flatbuffers": ("flatbuffers",), "google": (),
    "numpy": ("numpy",), "numpy.libs": (), "onnxruntime": ("onnxruntime",), "packaging": ("packaging",),
    "altgraph": ("altgraph",), "PyInstaller": ("pyinstaller",), "setuptools": ("setuptools",),
    "_pyinstaller_hooks_contrib": ("pyinstaller-hooks-contrib",),
}  # fmt: skip
"""What pip puts into the page's environment: folders, and the distributions whose records lie beside them."""


@pytest.fixture
def page(tmp_path: Path) -> HostPage:
    return HostPage("pyinstaller.md", tmp_path)


def build_env(folder: Path) -> Path:
    """Make that environment of links, since the tests' own has torch and more, which the build would take along."""
    folder.mkdir()
    libraries = Path(str(importlib.metadata.distribution("numpy").locate_file("")))
    for name, distributions in BUILD_ENV.items():
        spec = importlib.util.find_spec(name) if "." not in name else None
        found = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
        (folder / name).symlink_to(found or libraries / name)
        for distribution in distributions:
            record = Path(str(importlib.metadata.distribution(distribution)._path))  # type: ignore[attr-defined]
            (folder / record.name).symlink_to(record)
    return folder


def test_the_program_runs_from_its_folder_alone_and_says_what_is_wrong_with_its_package(
    page: HostPage, tmp_path: Path
) -> None:
    _, *arguments = page.command("build-env/bin/pyinstaller")
    environment = page.environment() | {"PYTHONPATH": str(build_env(tmp_path / "build-env"))}
    build = [sys.executable, "-S", "-m", "PyInstaller", *arguments]
    done = subprocess.run(build, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    ((*command, said),) = page.lines("dist/program/program")

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, check=False, cwd=tmp_path, env={}, capture_output=True, text=True)

    assert (run().stdout, run().stderr) == (f"{said}\n", "")
    inside = "dist/program/_internal/xor"
    page.damage(inside)
    damaged = run()
    (tmp_path / inside).rename(tmp_path / "away")
    absent = run()
    assert damaged.returncode == absent.returncode == 1
    assert damaged.stderr.startswith("program: ") and "sha256" in damaged.stderr, damaged.stderr
    assert absent.stderr.startswith("program: ") and "package" in absent.stderr, absent.stderr
    assert len(damaged.stderr.splitlines()) == len(absent.stderr.splitlines()) == 1
    assert not [name for name in os.listdir(tmp_path / "dist/program/_internal") if name.startswith("torch")]
