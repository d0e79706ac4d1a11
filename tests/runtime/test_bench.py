"""``parity bench``: what it prints is measured, and adds up."""

import json
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from parity_runtime.evaluation.benchmark import BATCHES, random_inputs
from tests.soak import sampled

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", sampled(["xor", "rent", "series"], {"xor"}))
def test_every_figure_is_there(parity, name: str) -> None:
    package = Path(__file__).parent.parent / "data" / name
    answer = parity("bench", package, "--seconds", "0.01", "--threads", "1,2", "--json")
    assert (answer.code, answer.err) == (0, "")
    figures = json.loads(answer.out)
    for found in figures["latency"].values():
        assert 0 < found["p50_us"] <= found["p90_us"] <= found["p99_us"] <= found["p99.9_us"] < 1e6
    assert [(row["threads"], row["batch"]) for row in figures["throughput"]] == [
        (threads, batch) for threads in (1, 2) for batch in BATCHES
    ]
    for row in figures["throughput"]:
        assert row["ratio"] == pytest.approx(row["parity_rows_per_s"] / row["onnxruntime_rows_per_s"])
    for found in figures["start"].values():
        assert 0.01 < found["seconds"] < 60 and 10 < found["peak_mb"] < 1000


def test_a_person_gets_a_table(parity, xor_package: Path) -> None:
    answer = parity("bench", xor_package, "--seconds", "0.01", "--threads", "1")
    lines = answer.out.splitlines()
    assert lines[0].split()[-4:] == ["p50", "p90", "p99", "p99.9"]
    assert sum(line.split()[:1] == ["1"] for line in lines) == len(BATCHES)
    assert "new process to the first prediction" in answer.out


@pytest.mark.filterwarnings("ignore::parity_runtime.package.loader.UncheckedModelWarning")
def test_a_bare_model_is_measured_too(parity, xor_package: Path) -> None:
    answer = parity("bench", xor_package / "model.onnx", "--seconds", "0.01", "--threads", "1", "--json")
    assert answer.code == 0 and json.loads(answer.out)["start"]["onnxruntime"]["seconds"] > 0


def test_the_rows_are_what_the_model_knows(species_package: Path, xor_package: Path) -> None:
    rows = random_inputs(Predictor(xor_package).contract, 1000)["features"]
    features = Predictor(xor_package).contract.columns
    assert (rows.min(axis=0) >= [feature.low for feature in features]).all()
    assert (rows.max(axis=0) <= [feature.high for feature in features]).all()
    assert np.std(random_inputs(Predictor(species_package).contract, 1000)["features"]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["absent"], 1, "is not a package"),
        (["PACKAGE", "--threads", "a"], 2, "not a list of whole numbers"),
        (["PACKAGE", "--threads", "0"], 1, "threads is 0"),
        (["PACKAGE", "--seconds", "0"], 2, "--seconds"),
        (["PACKAGE", "--provider", "cuda"], 1, "CUDA"),
    ],
)
def test_bad_input_is_one_line(parity, xor_package: Path, arguments: list[str], code: int, words: str) -> None:
    answer = parity("bench", *[xor_package if word == "PACKAGE" else word for word in arguments])
    assert answer.code == code and words in answer.err and "Traceback" not in answer.err
