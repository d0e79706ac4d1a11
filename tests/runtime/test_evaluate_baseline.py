"""`parity evaluate` beside what a constant from the training rows would have reached."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import Predictor
from parity_runtime.drift.target_profile import TargetProfile
from tests.profiles import RENTS, with_profile

ROWS = "color,size,when,new,code,sold\n" + "red,1,2020-01-01,true,1,no\n" * 9 + "red,1,2020-01-01,true,1,yes\n"


@pytest.fixture
def rents(tmp_path: Path, rent_package: Path) -> Path:
    """Twenty rows of both rents, each a little more than is predicted."""
    predictor = Predictor(rent_package)
    rows = np.random.default_rng(0).uniform(1, 50, (20, 3)).round(2)
    lines = [[*row, *(answer + np.array([1, 2]))] for row, answer in zip(rows, predictor.predict(rows), strict=True)]
    text = "\n".join(",".join(map(str, line)) for line in [["area", "rooms", "age", "cold", "warm"], *lines])
    (tmp_path / "rents.csv").write_text(text + "\n")
    return tmp_path / "rents.csv"


def test_a_classifier_is_beside_the_most_frequent_class(
    parity: Any, package_copy: Any, mixed_package: Path, tmp_path: Path
) -> None:
    package = with_profile(package_copy(mixed_package), [TargetProfile("sold", np.array([80, 20]))])
    (tmp_path / "t.csv").write_text(ROWS)
    found = json.loads(parity("evaluate", package, tmp_path / "t.csv", "--json").out)
    baseline = found["baseline"]
    assert (baseline["name"], baseline["predicts"], baseline["accuracy"]) == ("most frequent class", "no", 0.9)
    assert baseline["brier"] == pytest.approx(0.9 * 0.2**2 + 0.1 * 0.8**2) and baseline["roc_auc"] == 0.5
    lines = parity("evaluate", package, tmp_path / "t.csv").out.splitlines()
    assert "always saying no: 90.00%; recall of yes: " in lines[0]
    assert lines[2].split() == ["model", "always", "no"]
    (accuracy,) = (line.split() for line in lines if line.startswith("accuracy"))
    assert accuracy == ["accuracy", f"{found['accuracy']:.6g}", "0.9"]
    assert lines[2].index("always") == next(line for line in lines if line.startswith("accuracy")).index("0.9", 25)


def test_without_a_profile_there_is_no_baseline(parity: Any, mixed_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    assert "baseline" not in json.loads(parity("evaluate", mixed_package, tmp_path / "t.csv", "--json").out)
    assert "always" not in parity("evaluate", mixed_package, tmp_path / "t.csv").out


def test_a_profile_of_no_rows_gives_no_baseline(
    parity: Any, package_copy: Any, mixed_package: Path, tmp_path: Path
) -> None:
    package = with_profile(package_copy(mixed_package), [TargetProfile("sold", np.array([0, 0]))])
    (tmp_path / "t.csv").write_text(ROWS)
    assert "baseline" not in json.loads(parity("evaluate", package, tmp_path / "t.csv", "--json").out)


def test_several_targets_are_evaluated_together_or_one_by_one(
    parity: Any, package_copy: Any, rent_package: Path, rents: Path
) -> None:
    package = with_profile(package_copy(rent_package), RENTS)
    found = json.loads(parity("evaluate", package, rents, "--json").out)
    assert found["rows"] == 20 and found["mae"] == pytest.approx(1.5, abs=1e-4)
    alone = {
        name: json.loads(parity("evaluate", package, rents, "--target", name, "--json").out)
        for name in found["targets"]
    }
    for name, metrics in found["targets"].items():
        assert metrics == {key: alone[name][key] for key in ("mae", "rmse", "r2")}
        assert found["baseline"]["targets"][name]["rmse"] == alone[name]["baseline"]["rmse"]
    assert (alone["warm"]["baseline"]["name"], alone["warm"]["baseline"]["predicts"]) == ("mean", 20.25)
    assert found["r2"] == pytest.approx(np.mean([metrics["r2"] for metrics in found["targets"].values()]))
    lines = parity("evaluate", package, rents).out.splitlines()
    assert "on 20 rows, on average over 2 targets" in lines[0] and {"cold:", "warm:"} <= {*lines}
    assert "training mean 20.25" in lines[lines.index("warm:") + 1]
    gate = parity("evaluate", package, rents, "--at-most", "mae=1.4")
    assert gate.code == 3 and "mae is 1.5" in gate.err


def test_a_row_that_lacks_one_of_the_targets_is_left_out(parity: Any, rent_package: Path, rents: Path) -> None:
    lines = rents.read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ","
    rents.write_text("\n".join(lines) + "\n")
    done = parity("evaluate", rent_package, rents)
    assert "parity: 1 row has no cold or warm and is left out" in done.err and "on 19 rows" in done.out
    (rents.parent / "other.csv").write_text("area,rooms,age,cold\n1,2,3,4\n")
    assert parity("evaluate", rent_package, rents.parent / "other.csv").is_refused(1, "no column 'warm'")


@pytest.mark.parametrize("name", ["balanced_accuracy", "average_precision", "brier"])
def test_a_limit_may_be_of_every_metric(parity: Any, xor_package: Path, xor_test: Path, name: str) -> None:
    command = ("evaluate", xor_package, xor_test, "--at-least")
    assert parity(*command, f"{name}=0.00001", "--at-most", f"{name}=1").code == 0
    missed = parity(*command, f"{name}=1.1")
    assert missed.code == 3 and f"{name} is " in missed.err


def test_a_row_is_explained_without_naming_one_of_several_targets(parity: Any, rent_package: Path, rents: Path) -> None:
    assert parity("evaluate", rent_package, rents, "--explain-row", 2).code == 0
