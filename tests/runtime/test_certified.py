"""Certified graphs, answered without torch."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, verify
from parity_runtime.errors import DigestError
from parity_runtime.package.manifest import write_manifest

CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_labels_are_the_same_and_carry_their_proof(certified_package: Path) -> None:
    plain, proven = Predictor(certified_package), Predictor(certified_package, certified=True)
    rows = np.random.default_rng(0).uniform(-0.5, 1.5, (5000, 2)).astype(np.float32)
    assert (plain.predict(rows) == proven.predict(rows)).all()
    assert proven.certified(rows).mean() > 0.999
    bound = proven.error_bound(rows)
    assert bound.shape == (5000, 1)
    assert (bound > 0).all() and bound.max() < 1e-4
    outputs = proven.run({"features": rows})
    assert list(outputs) == ["label", "probabilities", "logits", "error_bound", "certified"]
    assert (np.abs(outputs["logits"] - plain.run({"features": rows})["logits"]) <= 2 * bound).all()


def test_a_row_on_the_boundary_is_not_certified(certified_package: Path) -> None:
    proven = Predictor(certified_package, certified=True)
    start, end = np.array([0.0, 0.0]), np.array([0.0, 1.0])
    for _ in range(60):
        middle = (start + end) / 2
        start, end = (middle, end) if proven.predict([middle])[0] == 0 else (start, middle)
    assert not proven.certified([start, end]).any()
    assert proven.certified(CORNERS).all()


def test_what_overflows_has_no_error_bound(certified_package: Path) -> None:
    proven = Predictor(certified_package, certified=True)
    assert np.isposinf(proven.error_bound([[3e38, 3e38]])).all()
    assert not proven.certified([[3e38, 3e38]]).any()


def test_a_regression_has_an_error_bound_for_each_target(certified_rent_package: Path) -> None:
    proven = Predictor(certified_rent_package, certified=True)
    assert proven.error_bound([[50, 2, 10]]).shape == (1, 2)
    with pytest.raises(InputError, match="rent is not a classifier"):
        proven.certified([[50, 2, 10]])


def test_who_did_not_ask_for_a_proof_is_told(xor_package: Path, certified_package: Path) -> None:
    with pytest.raises(InputError, match=r"has no certified graph; export it with parity export \.\.\. --certified"):
        Predictor(xor_package, certified=True)
    with pytest.raises(InputError, match="was opened without certified=True"):
        Predictor(certified_package).error_bound(CORNERS)
    assert Predictor(certified_package).contract.graphs["certified"] == "model_certified.onnx"


def test_a_proof_travels_to_worker_processes(certified_package: Path) -> None:
    proven = pickle.loads(pickle.dumps(Predictor(certified_package, certified=True)))
    assert proven.certified(CORNERS).all()


def test_verify_replays_both_graphs(certified_package: Path) -> None:
    names = {deviation.vectors for deviation in verify(certified_package).deviations}
    assert names == {"ordinary", "hard", "ordinary, certified", "hard, certified"}


def test_a_certified_graph_of_another_contract_is_refused(certified_package: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(certified_package, tmp_path / "copy")
    shutil.copy(copy / "model.onnx", copy / "model_certified.onnx")
    with pytest.raises(DigestError):
        Predictor(copy, certified=True)
    (copy / "manifest.json").unlink()
    write_manifest(copy)
    with pytest.raises(Exception, match="the model and its contract disagree"):
        Predictor(copy, certified=True)


def test_predict_adds_the_error_bounds(
    parity, certified_package: Path, certified_rent_package: Path, tmp_path: Path
) -> None:
    lines = parity("predict", certified_package, "--certified", "--row", "0,1", "--row", "1,1").out.splitlines()
    assert lines[0] == "x1,x2,label,probability_0,probability_1,certified"
    assert [line.split(",")[-1] for line in lines[1:]] == ["true", "true"]
    lines = parity("predict", certified_rent_package, "--certified", "--row", "50,2,10").out.splitlines()
    assert lines[0] == "area,rooms,age,cold,warm,error_bound_cold,error_bound_warm"
    assert all(float(cell) > 0 for cell in lines[1].split(",")[-2:])
    table = tmp_path / "t.csv"
    table.write_text("x1,x2,certified\n0,1,yes\n")
    assert parity("predict", certified_package, "--certified", table).is_refused(1, "has a column 'certified' already")
    assert parity("predict", certified_package, table).code == 0


def test_predict_without_a_certified_graph_is_refused(parity, xor_package: Path) -> None:
    assert parity("predict", xor_package, "--certified", "--row", "0,1").is_refused(
        1, "export it with parity export ... --certified"
    )


def test_info_says_that_there_is_a_proof(parity, certified_package: Path, xor_package: Path) -> None:
    assert "\ncertified " in parity("info", certified_package).out
    assert "certified " not in parity("info", xor_package).out
    assert json.loads(parity("info", certified_package, "--json").out)["graphs"]["certified"] == "model_certified.onnx"
