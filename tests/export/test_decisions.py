"""Labels, tags and tokens against torch's: a flip counts where no tolerance of the logits explains it."""

import numpy as np
import pytest

from parity_export.gate.comparison import COSINE, away, compare
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.probability_tolerance import relative_tolerance, unexplained
from parity_export.gate.probes import UNIFORM, labelled, margins, row_margins, two_largest
from parity_export.gate.rounding_envelope import Envelope
from parity_runtime import ModelContract
from parity_runtime.contract import Task, label_count
from parity_runtime.inference.input_validation import Arrays
from tests.runtime.test_task_contracts import contract_of

ROWS = 6


def answers_of(contract: ModelContract, logits: np.ndarray) -> Arrays:
    """What a module with these logits answers."""
    match contract.task:
        case "multilabel":
            labels = logits >= np.array(contract.logit_thresholds)
            return {"labels": labels, "probabilities": 1 / (1 + np.exp(-logits)), "logits": logits}
        case "tagging":
            grown = np.exp(logits)
            return {"tags": logits.argmax(-1), "probabilities": grown / grown.sum(-1, keepdims=True), "logits": logits}
        case "language_model":
            return {"tokens": logits.argmax(-1), "logits": logits}
    return {"embedding": logits}


def expected_of(contract: ModelContract, logits: np.ndarray) -> ExpectedOutputs:
    exact = answers_of(contract, logits)
    float32 = {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in exact.items()}
    probes = labelled(UNIFORM, {"x": np.zeros((len(logits), 4), np.float32)})
    return ExpectedOutputs(probes, float32, exact, Envelope(float32), contract)


def logits_of(contract: ModelContract) -> np.ndarray:
    """Logits that stand far from every decision."""
    shape = [ROWS if size == "batch" else 4 if size == "time" else size for size in contract.outputs[-1].shape]
    return np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) - 5.3


def flips(contract: ModelContract, logits: np.ndarray, found: Arrays) -> tuple[int, int]:
    """How many decisions were compared, and how many of them flipped."""
    (one,) = [
        one
        for one in compare(found, contract, expected_of(contract, logits), np.arange(ROWS))
        if one.output == contract.decision
    ]
    return one.compared, one.outside


DECIDED: list[Task] = ["multilabel", "tagging", "language_model"]


@pytest.mark.parametrize("task", DECIDED)
def test_every_decision_of_every_position_is_compared(task: Task) -> None:
    contract = contract_of(task)
    logits = logits_of(contract)
    found = answers_of(contract, logits.astype(np.float32))
    decision = found[str(contract.decision)]
    assert flips(contract, logits, found) == (decision.size, 0)
    decision[-1, -1] = ~decision[-1, -1] if decision.dtype == bool else 1 - decision[-1, -1]
    assert flips(contract, logits, found) == (decision.size, 1)


@pytest.mark.parametrize("task", DECIDED)
def test_a_tie_in_float64_is_nobodys(task: Task) -> None:
    contract = contract_of(task)
    logits = logits_of(contract)
    if task == "multilabel":
        logits[2, 1] = contract.logit_thresholds[1]
    else:
        best = logits[2, 1].argsort()[-2:]
        logits[2, 1, best] = logits[2, 1].max()
    found = answers_of(contract, logits.astype(np.float32))
    decision = found[str(contract.decision)]
    decision[2, 1] = ~decision[2, 1] if task == "multilabel" else best.sum() - decision[2, 1]  # the other one
    assert flips(contract, logits, found) == (decision.size - 1, 0)


@pytest.mark.parametrize("task", ["tagging", "language_model"])
def test_what_is_masked_hides_no_flip(task: Task) -> None:
    contract = contract_of(task)
    logits = np.concatenate([logits_of(contract), logits_of(contract)], axis=-1)[..., : label_count(contract)]
    logits[..., 0] = -np.inf
    if task == "tagging":  # one class is left, and no other can be meant
        logits[3, 1] = [2, 1]
    found = answers_of(contract, logits.astype(np.float32))
    decision = found[str(contract.decision)]
    assert flips(contract, logits, found) == (decision.size, 0)
    decision[2, 2] = 0
    assert flips(contract, logits, found) == (decision.size, 1)


def test_a_probability_beside_a_masked_one_has_a_tolerance() -> None:
    contract = contract_of("tagging")
    logits = logits_of(contract)
    logits[1, 1, 0] = -np.inf
    allowed = expected_of(contract, logits).allowed["probabilities"][1, 1]
    assert allowed[0] < 1e-30 and allowed[1] < 1e-3


def test_the_row_of_the_first_flip_is_named() -> None:
    contract = contract_of("tagging")
    logits = logits_of(contract)
    found = answers_of(contract, logits.astype(np.float32))
    found["tags"][3:, 2] = 1 - found["tags"][3:, 2]
    rows = np.array([5, 4, 3, 2, 1, 0])
    found = {name: array[rows] for name, array in found.items()}
    (tags, *_) = compare(found, contract, expected_of(contract, logits), rows)
    assert (tags.output, tags.outside, tags.worst_probe) == ("tags", 3, 5)


def test_the_pieces_of_a_vocabulary_are_looked_at_one_by_one(monkeypatch) -> None:
    """The same figures, whatever a piece holds."""
    contract = contract_of("language_model")
    logits = logits_of(contract)
    found = answers_of(contract, logits.astype(np.float32))
    found["tokens"][1:, 0] += 1
    found["logits"] = found["logits"] + np.float32(1e-3) * np.random.default_rng(2).normal(0, 1, logits.shape)
    expected, rows = expected_of(contract, logits), np.arange(ROWS)
    whole, left = compare(found, contract, expected, rows), away(found, expected, rows)
    assert [one.outside > 0 for one in whole] == [True, True]
    for module in ("comparison", "probes"):
        monkeypatch.setattr(f"parity_export.gate.{module}._PIECE", 260)
    assert compare(found, contract, expected, rows) == whole
    np.testing.assert_array_equal(away(found, expected, rows), left)


def test_margins_are_those_of_each_decision() -> None:
    logits = np.array([[[1.0, 4.0, 2.0], [7.0, 7.0, 0.0]]])
    contract = contract_of("tagging")
    np.testing.assert_array_equal(margins(contract, logits), [[2.0, 0.0]])
    np.testing.assert_array_equal(row_margins(contract, logits), [0.0])
    np.testing.assert_array_equal(two_largest(logits), [[[2, 4], [7, 7]]])
    multilabel = contract_of("multilabel")
    found = margins(multilabel, np.array([[0.0, 2.0]]))
    np.testing.assert_allclose(found, [[0.8472979, 2.0]], rtol=1e-6)


def test_vectors_are_compared_by_their_angle_as_well() -> None:
    contract = contract_of("embedding")
    exact = logits_of(contract)
    for turned, outside in ((0.0, 0), (1e-2, 1)):
        found = exact.astype(np.float32)
        found[4] += turned * np.abs(exact[4]).max() * np.array([1, -1, 1])
        differences = {
            one.output: one
            for one in compare({"embedding": found}, contract, expected_of(contract, exact), np.arange(ROWS))
        }
        cosine = differences[COSINE]
        assert (cosine.compared, cosine.outside, differences["embedding"].outside > 0) == (ROWS, outside, outside > 0)
        assert (cosine.max_abs > 1e-6) == (outside > 0)
    assert cosine.worst_probe == 4
    angle = exact[4] @ found[4] / np.linalg.norm(exact[4]) / np.linalg.norm(found[4].astype(np.float64))
    np.testing.assert_allclose(cosine.max_abs, 1 - angle, rtol=1e-6)


def test_a_vector_of_zeros_has_no_angle() -> None:
    contract = contract_of("embedding")
    exact = logits_of(contract)
    exact[0] = 0
    differences = compare(
        {"embedding": exact.astype(np.float32)}, contract, expected_of(contract, exact), np.arange(ROWS)
    )
    assert [(one.output, one.compared, one.outside) for one in differences] == [
        ("embedding", 3 * ROWS, 0), (COSINE, ROWS - 1, 0)
    ]  # fmt: skip


def test_a_probability_of_its_own_follows_its_own_logit() -> None:
    logits = np.array([[-20.0, 0.0, 3.0]])
    exact, off = 1 / (1 + np.exp(-logits)), np.array([[1e-3, 0.0, 1e-6]])
    allowed = relative_tolerance(exact, off, sigmoid=True)
    moved = 1 / (1 + np.exp(-(logits + off)))
    assert (np.abs(moved - exact) <= allowed).all()
    assert (allowed / exact < [1.1e-3, 2e-6, 4e-6]).all()
    good = (1 / (1 + np.exp(-logits))).astype(np.float32)
    assert not unexplained(good, logits.astype(np.float32), sigmoid=True).any()
    bad = good * np.array([1.01, 1, 1], np.float32)
    assert unexplained(bad, logits.astype(np.float32), sigmoid=True).tolist() == [[True, False, False]]


def test_probabilities_of_each_position_follow_its_logits() -> None:
    logits = np.random.default_rng(1).normal(0, 5, (4, 3, 6))
    exact = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    allowed = relative_tolerance(exact, np.full(logits.shape, 1e-5))
    matrix = relative_tolerance(exact.reshape(12, 6), np.full((12, 6), 1e-5))
    np.testing.assert_array_equal(allowed.reshape(12, 6), matrix)
    assert not unexplained(exact.astype(np.float32), logits.astype(np.float32)).any()
    assert unexplained(exact.astype(np.float32)[:, ::-1], logits.astype(np.float32)).any()
