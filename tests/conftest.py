"""Fixtures that every room shares: one trained run, one exported package, the command line.

tests/runtime must run where torch has never been: torch and what needs it are imported by the fixtures that use them.
"""

import gc
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime.cli import main
from tests.longest_first import longest_first
from tests.shared import made_once
from tests.torchlib_sources import make_once
from tests.warm_process import WarmProcess

COLLECT_EVERY = 20_000
"""Objects between two collections of garbage: at Python's 700 a tenth of the tests' time goes into them."""

SLOW_FIXTURES = {"javascript_examples", "warm", "xor_run"}
"""Processes, trainings and installed packages: what asks for them is slow without saying so."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers here: the wheel's tests run without the checkout's pyproject.toml."""
    gc.set_threshold(COLLECT_EVERY, *gc.get_threshold()[1:])
    config.addinivalue_line("markers", "cuda: needs a CUDA device and onnxruntime-gpu")
    config.addinivalue_line(
        "markers",
        "slow: trains, exports, searches or starts processes for more than half a second; make quick leaves it out",
    )
    config.addinivalue_line("markers", "soak: one more case of what a shorter test shows; make soak runs it")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests that are marked soak, and no others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    asked = bool(config.getoption("--soak"))
    left = [item for item in items if (item.get_closest_marker("soak") is not None) != asked]
    config.hook.pytest_deselected(items=left)
    out = set(left)
    items[:] = longest_first(item for item in items if item not in out)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage while modules are imported, nor later in what they hold for as long as the process lives."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process a file at a time, the longest first, whatever the number of its tests."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.schedule import Files

    config.option.loadscopereorder = False
    return Files(config, log)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 -- modules under test may use the global generator
    make_once()


@pytest.fixture(scope="session")
def xor_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook's run, trained once."""
    from parity_training import Run, train_xor

    return Run.open(made_once(tmp_path_factory, "runs", lambda folder: train_xor(folder / "xor")) / "xor")


@pytest.fixture(scope="session")
def xor_package(xor_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its package; tests that change files copy it first (``xor_copy``)."""

    def make(folder: Path) -> None:
        from parity_export import export_package, source_from_run

        export_package(source_from_run(xor_run), folder / "xor")

    return made_once(tmp_path_factory, "packages", make) / "xor"


@pytest.fixture(scope="session")
def javascript_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples' npm workspace, with what its READMEs install: a folder for each example."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    installed = made_once(tmp_path_factory, "javascript", install_examples)
    folder = copy_examples(tmp_path_factory.mktemp("javascript"))
    (folder / "node_modules").symlink_to(installed / "examples" / "node_modules")
    return folder


def install_examples(folder: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=copy_examples(folder), check=True, capture_output=True)


def copy_examples(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("node_modules", "vendor", "package", "c", "python-service")
    return Path(shutil.copytree(Path(__file__).parent.parent / "examples", folder / "examples", ignore=ignored))


@pytest.fixture(scope="session")
def cuda() -> None:
    """Skip what asks for it where no session runs on a CUDA device."""
    from parity_runtime.inference.session import import_onnxruntime

    if "CUDAExecutionProvider" not in import_onnxruntime().get_available_providers():
        pytest.skip("onnxruntime-gpu is not installed")


@pytest.fixture
def xor_copy(xor_package: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(xor_package, tmp_path / "copy"))


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmProcess]:
    """What runs commands in processes of their own, without importing torch for each."""
    with WarmProcess() as process:
        yield process


class Answer:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def is_refused(self, code: int, *words: str) -> bool:
        """One line on stderr that holds the words, nothing on stdout."""
        one_line = len(self.err.strip().splitlines()) == 1
        return (self.code, self.out) == (code, "") and one_line and all(word in self.err for word in words)

    def __repr__(self) -> str:
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


@pytest.fixture
def parity(capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run the command line in this process."""

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main.main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Answer(int(stop.value.code or 0), out, err)

    return run
