"""What Parity 0.1.0 wrote: its runs go on, its packages are refused with a sentence that says how to make them anew."""

from pathlib import Path

import pytest

from parity_runtime import FormatError, Predictor
from tests.compat.kept import unpacked
from tests.conftest import Answer

VERSION = "0.1.0"
PACKAGES = ("xor", "xor_certified", "iris", "iris_certified", "diabetes", "diabetes_certified", "series")
RUNS = ("xor", "iris", "diabetes")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_is_refused_with_the_way_out(parity, tmp_path: Path, name: str) -> None:
    package = unpacked(VERSION, name, tmp_path)
    words = (
        f"{package}",
        "parity/1, which an earlier Parity wrote",
        f"parity export ... {package} --force{' --certified' * name.endswith('certified')}",
    )
    for command in ("verify", "info", "certify", "bench"):
        answer: Answer = parity(command, package)
        assert answer.is_refused(1, *words), answer
    assert parity("predict", package, "--row", "0,1").is_refused(1, *words)
    with pytest.raises(FormatError, match=r"parity/1, which an earlier Parity wrote"):
        Predictor(package)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_every_run_exports_over_its_old_package(parity, tmp_path: Path, name: str) -> None:
    run, package = unpacked(VERSION, f"run_{name}", tmp_path), unpacked(VERSION, name, tmp_path)
    assert parity("export", run, package, "--force", "--no-plots").code == 0
    assert parity("verify", package).code == 0
    assert parity("evaluate", package, run / "test.csv").code == 0
