"""What Parity 0.2.0 wrote: its packages predict what they recorded, and its runs export."""

from pathlib import Path

import pytest

from parity_runtime import Package, Predictor
from tests.compat.kept import unpacked

VERSION = "0.2.0"
PACKAGES = ("xor", "xor_certified", "xor_tight", "homes", "series", "tags", "adopted")
CERTIFIED = ("xor_certified", "xor_tight")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_gives_what_it_recorded(parity, tmp_path: Path, name: str) -> None:
    package = unpacked(VERSION, name, tmp_path)
    assert Package.open(package).contract.provenance["parity"] == VERSION
    assert parity("verify", package).code == 0
    with Predictor(package, certified=name in CERTIFIED) as predictor:
        assert predictor.has_error_bounds == (name in CERTIFIED)


def test_their_rows_are_predicted(parity, tmp_path: Path) -> None:
    for name, row, label in (("xor_tight", "0,1", "1"), ("xor", "1,1", "0")):
        answer = parity("predict", unpacked(VERSION, name, tmp_path), "--row", row)
        assert answer.out.splitlines()[1].split(",")[2] == label, answer
    homes = unpacked(VERSION, "homes", tmp_path)
    answer = parity("predict", homes, "--row", "75,York,false,1960-05-01", "--row", "75,Paris,true,")
    found = [float(line.rsplit(",", 1)[1]) for line in answer.out.splitlines()[1:]]
    assert found == pytest.approx([98246.79, 82477.05])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["xor", "homes"])
def test_every_run_exports_over_its_package(parity, tmp_path: Path, name: str) -> None:
    run, package = unpacked(VERSION, f"run_{name}", tmp_path), unpacked(VERSION, name, tmp_path)
    assert parity("export", run, package, "--force", "--no-plots").code == 0
    assert parity("verify", package).code == 0
    assert parity("evaluate", package, run / "test.csv").code == 0
