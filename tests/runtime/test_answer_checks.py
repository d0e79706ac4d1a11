"""No class is named that the contract does not know, nor one beside what is no number."""

import json
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import ConformanceError, Predictor, predict_batches, verify
from parity_runtime.package.manifest import write_manifest
from tests.refusals import refused_at
from tests.runtime.strange_labels import STEP, shift_labels

NO_CLASS = "xor predicts the label {}, but its contract has 2 classes, 0 to 1"
BEYOND = [3e38, -3e38, 3e38, -3e38]
"""Finite numbers of which the species network computes NaN."""


@pytest.fixture
def strange(package_copy, certified_package: Path) -> Path:
    return shift_labels(package_copy(certified_package))


def row(label: int) -> list[float]:
    return [label * STEP * (1 + 1e-6), 0.0]


@pytest.mark.parametrize("certified", [False, True])
@pytest.mark.parametrize(("shift", "label"), [(7, 8), (-3, -2)])
@pytest.mark.parametrize("rows", [1, 5, 1000, 100_000])
def test_a_label_out_of_range_is_refused(strange: Path, shift: int, label: int, rows: int, certified: bool) -> None:
    predictor = Predictor(strange, certified=certified)
    good = np.zeros((rows, 2), np.float32)
    bad = good.copy()
    bad[rows // 2] = row(shift)
    for _ in range(2):  # the second time through buffers that are there
        assert (predictor.predict(good) == 0).all()
        for ask in (predictor.predict, lambda batch: predictor.run({"features": batch})):
            with pytest.raises(ConformanceError, match=NO_CLASS.format(label)):
                ask(bad)


def test_no_such_label_is_certified(strange: Path) -> None:
    predictor = Predictor(strange, certified=True)
    assert predictor.certified([[0, 1]]).tolist() == [True]
    with pytest.raises(ConformanceError, match=NO_CLASS.format(8)):
        predictor.certified([[0, 1], row(7)])


def test_a_stream_refuses_it(strange: Path) -> None:
    answers = predict_batches(Predictor(strange), [[[0, 1]], [row(7)]])
    assert next(answers)["label"].tolist() == [1]
    with pytest.raises(ConformanceError, match=NO_CLASS.format(8)):
        next(answers)


@pytest.mark.parametrize(("shift", "label"), [(7, 8), (-3, -2)])
@pytest.mark.parametrize("errors", ["raise", "skip", "null"])
def test_the_commands_refuse_it(parity, strange: Path, tmp_path: Path, shift: int, label: int, errors: str) -> None:
    (tmp_path / "t.csv").write_text(f"x1,x2,truth\n0,1,1\n{row(shift)[0]},0,1\n")
    for command in (["predict", "--errors", errors], ["evaluate", "--target", "truth"]):
        answer = parity(command[0], strange, tmp_path / "t.csv", *command[1:])
        assert (answer.code, answer.out) == (3, "")
        assert len(answer.err.splitlines()) == 1 and NO_CLASS.format(label) in answer.err


@pytest.mark.parametrize(("shift", "label"), [(7, 8), (-3, -2)])
def test_a_package_that_records_such_a_label_does_not_pass(strange: Path, shift: int, label: int) -> None:
    assert verify(strange).files  # its own vectors hold none
    conformance = json.loads((strange / "conformance.json").read_text())
    conformance["ordinary"]["inputs"]["features"]["data"][:2] = row(shift)
    conformance["ordinary"]["outputs"]["label"]["data"][0] = label
    (strange / "conformance.json").write_text(json.dumps(conformance))
    write_manifest(strange)
    with pytest.raises(ConformanceError, match=NO_CLASS.format(label)):
        verify(strange)


@pytest.mark.parametrize("rows", [1, 3, 1000, 100_000])
def test_no_class_stands_beside_nan(species_package: Path, rows: int) -> None:
    predictor = Predictor(species_package)
    good = np.zeros((rows, 4), np.float32)
    bad = good.copy()
    bad[rows // 2 :] = BEYOND
    for _ in range(2):
        assert (predictor.predict(good) == predictor.classes_[predictor.predict_proba(good).argmax(1)]).all()
        with refused_at(row=rows // 2 + 1):
            predictor.predict(bad)
    assert np.isnan(predictor.predict_proba(bad)[rows // 2]).any()


def test_no_rows_have_no_classes(species_package: Path) -> None:
    assert Predictor(species_package).predict(np.zeros((0, 4))).shape == (0,)
