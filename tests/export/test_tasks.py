"""What people use of a model's answers, end to end: the graph's head, the gate, the package and its predictor."""

import itertools
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package
from parity_export.error_bounds.errors import CannotCertifyError
from parity_export.export_graph import ExportGraph
from parity_export.gate.torch_reference import TorchReference
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_runtime import InputError, Predictor
from tests.export.task_modules import (
    CASES,
    IDS,
    MULTILABEL,
    NAMES,
    ROWS,
    STEPS,
    TAGGING,
    Ending,
    Tagger,
    Unit,
    source_of,
)
from tests.soak import sampled

pytestmark = pytest.mark.slow

HEADS = {"binary", "embedding", "language model", "multilabel", "one label", "tagging", "unit embedding"}


def graph_of(module: nn.Module, inputs: str, output_spec: OutputSpec) -> ExportGraph:
    return attach_head(trace(source_of(module, inputs, output_spec), ExportOptions()))


@pytest.mark.parametrize("name", sampled(CASES, HEADS))
def test_the_head_gives_what_the_reference_makes_of_the_module(name: str) -> None:
    graph = graph_of(*CASES[name])
    (spec,) = graph.contract.inputs
    shape = [9 if size == "batch" else size for size in spec.shape]
    rows = np.random.default_rng(3).normal(0, 3, shape).astype(np.float32)
    wanted = TorchReference(graph.source, double=True)({"x": rows})
    session = onnxruntime.InferenceSession(graph.data, providers=["CPUExecutionProvider"])
    found = dict(zip([one.name for one in session.get_outputs()], session.run(None, {"x": rows}), strict=True))
    assert [one.name for one in session.get_outputs()] == [one.name for one in graph.contract.outputs]
    for one in graph.contract.outputs:
        assert str(found[one.name].dtype) == one.dtype
        assert found[one.name].shape == tuple(9 if size == "batch" else size for size in one.shape)
        np.testing.assert_allclose(found[one.name], wanted[one.name], rtol=2e-5, atol=2e-5)


def test_a_rare_label_has_a_probability_to_the_last_digits() -> None:
    graph = graph_of(Ending(3, nn.Sigmoid()), ROWS, OutputSpec("multilabel", "probabilities", NAMES))
    session = onnxruntime.InferenceSession(graph.data, providers=["CPUExecutionProvider"])
    rows = np.full((1, 4), 25, np.float32)
    rows = rows * np.sign(-graph.source.module.linear.weight[0].detach().numpy())
    probabilities, logits = session.run(["probabilities", "logits"], {"x": rows})
    assert logits[0, 0] < -40
    np.testing.assert_allclose(probabilities[0, 0], 1 / (1 + np.exp(-logits[0, 0].astype(np.float64))), rtol=1e-6)


def test_a_tagger_keeps_the_length_of_its_sequences() -> None:
    contract = graph_of(Tagger(), IDS, TAGGING).contract
    assert [str(spec) for spec in contract.outputs] == [
        "tags: int64[batch, time]", "probabilities: float32[batch, time, 3]", "logits: float32[batch, time, 3]"
    ]  # fmt: skip


class Turned(Ending):
    """Puts the time first, as PyTorch's recurrent layers do by default."""

    def __init__(self) -> None:
        super().__init__(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).transpose(0, 1)


class Halved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 3, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


def test_a_length_that_is_computed_is_named_as_the_graph_names_it() -> None:
    contract = graph_of(Halved(), "x: float32[batch, time, 4]", TAGGING).contract
    (batch, time), row = contract.output("tags").shape, contract.output("logits").shape
    assert (batch, row) == ("batch", ("batch", time, 3))
    assert time != "time" and isinstance(time, str)


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    folder = tmp_path_factory.mktemp("tasks")
    made = ("multilabel", "tagging", "language model", "unit embedding")
    for name in made:
        export_package(
            source_of(*CASES[name]), folder / name, ExportOptions(plots=name == "multilabel", effort="quick")
        )
    return {name: Predictor(folder / name) for name in made}


def test_a_multilabel_classifier_answers_an_indicator_matrix(predictors) -> None:
    predictor, rows = predictors["multilabel"], np.random.default_rng(1).normal(0, 1, (50, 4)).astype(np.float32)
    labels, probabilities = predictor.predict(rows), predictor.predict_proba(rows)
    assert labels.dtype == bool and labels.shape == probabilities.shape == (50, 3)
    assert (labels == (probabilities >= np.float32([0.3, 0.5, 0.8]))).mean() > 0.99
    assert (labels == (predictor.decision_function(rows) >= 0)).all()
    assert not labels.all() and labels.any()
    assert predictor.score(rows, labels.astype(int)) == 1.0
    labels[0, 0] = ~labels[0, 0]
    assert predictor.score(rows, labels) == 0.98
    assert predictor.classes_.tolist() == ["a", "b", "c"]


def test_scikit_learn_scores_it_as_a_multilabel_classifier(predictors) -> None:
    from sklearn.base import is_classifier
    from sklearn.metrics import f1_score
    from sklearn.utils import get_tags

    predictor, rows = predictors["multilabel"], np.random.default_rng(1).normal(0, 1, (50, 4)).astype(np.float32)
    assert is_classifier(predictor)
    assert get_tags(predictor).classifier_tags.multi_label
    assert f1_score(predictor.predict(rows), predictor.predict(rows), average="micro") == 1.0


def test_a_tagger_answers_names_and_a_language_model_indices(predictors) -> None:
    steps = np.random.default_rng(1).normal(0, 1, (4, 5, 4)).astype(np.float32)
    tags, probabilities = predictors["tagging"].predict(steps), predictors["tagging"].predict_proba(steps)
    assert (tags == np.array(NAMES)[probabilities.argmax(-1)]).all()
    model = predictors["language model"]
    tokens = model.predict(steps)
    assert (tokens.dtype, tokens.shape) == (np.int64, (4, 5))
    assert (tokens == model.run({"x": steps})["logits"].argmax(-1)).all()
    with pytest.raises(InputError, match=r"no probabilities over its vocabulary; run\(\) gives its logits"):
        model.predict_proba(steps)


def test_an_embedding_answers_vectors_and_says_how_long_they_are(predictors) -> None:
    predictor, rows = predictors["unit embedding"], np.random.default_rng(1).normal(0, 1, (4, 4)).astype(np.float32)
    vectors = predictor.predict(rows)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert predictor.contract.unit_norm is True
    with pytest.raises(InputError, match="not a classifier"):
        predictor.predict_proba(rows)
    with pytest.raises(InputError, match="no score"):
        predictor.score(rows, vectors)


def test_an_answer_that_is_no_number_means_nothing(predictors) -> None:
    signs = np.array(list(itertools.product((-1, 1), repeat=4)), np.float32)
    huge = np.repeat(signs[:, None] * np.float32(3e38), 5, axis=1)  # [16, 5, 4]
    for name in ("tagging", "language model"):
        with pytest.raises(InputError, match="no finite output"):
            predictors[name].predict(huge)


def test_the_card_says_what_the_answers_are(predictors) -> None:
    card = {name: (Path(predictor._path) / "README.md").read_text() for name, predictor in predictors.items()}
    assert "`labels` says of each of `classes` whether a row has it: a, b, c." in card["multilabel"]
    assert "A tag is compared where the position lies farther" in card["tagging"]
    assert "the most probable next token" in card["language model"]
    assert "| cosine | ordinary |" in card["unit embedding"] and "of the length 1" in card["unit embedding"]


def test_a_table_gets_a_column_for_each_label_and_each_number_of_a_vector(parity, predictors, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x1,x2,x3,x4\n1,2,3,4\n-1,0,0,9\n")
    done = parity("predict", predictors["multilabel"]._path, table)
    header, first, _ = done.out.splitlines()
    assert header == "x1,x2,x3,x4,label_a,label_b,label_c,probability_a,probability_b,probability_c"
    assert {*first.split(",")[4:7]} <= {"true", "false"}
    done = parity("predict", predictors["unit embedding"]._path, "--row", "1,2,3,4")
    assert done.out.splitlines()[0] == "x1,x2,x3,x4," + ",".join(f"embedding_{place}" for place in range(1, 6))
    for name, words in (("tagging", "gives tags, one for each"), ("language model", "gives tokens, one for each")):
        done = parity("predict", predictors[name]._path, table)
        assert done.code == 1
        assert words in done.err


@pytest.mark.parametrize(
    ("module", "inputs", "output_spec", "words"),
    [
        (Ending(3), STEPS, MULTILABEL, r"returns \[batch, classes\]; this one returns \[batch, 5, 3"),
        (Ending(3), ROWS, TAGGING, r"\[batch, time, classes\]; this one returns \[batch, 3\]"),
        (Ending(1), STEPS, OutputSpec("language_model"), r"\[batch, time, vocabulary\]; this one .* \[batch, 5, 1"),
        (Ending(3), ROWS, OutputSpec("multilabel", classes=NAMES), "say what the module returns: output='logits'"),
        (Ending(3), ROWS, OutputSpec("multilabel", "logits", ("a", "b")), "names 2 classes, but the module has 3"),
        (Ending(3), ROWS, OutputSpec("multilabel", "logits", threshold=(0.1, 0.2)), "names 2 thresholds, .* 3 classes"),
        (Ending(3, nn.Sigmoid()), ROWS, MULTILABEL, "ends in Sigmoid, .*export it with output='probabilities'"),
        (Ending(3, nn.Softmax(-1)), ROWS, OutputSpec("multilabel", "probabilities"), "ends in Softmax; the task"),
        (Ending(7, nn.Softmax(-1)), STEPS, OutputSpec("language_model"), "return what goes into it"),
        (Turned(), "x: float32[batch, time, 4]", TAGGING, r"returns batch first; this one returns \[time, batch, 3\]"),
        (Unit(), "x: float32[batch, n]", OutputSpec("embedding"), "a fixed number of numbers a row"),
    ],
)  # fmt: skip
def test_a_module_that_contradicts_its_task_is_refused(module, inputs: str, output_spec, words: str) -> None:
    with pytest.raises(InputError, match=words):
        graph_of(module, inputs, output_spec)


def test_a_softmax_over_the_time_is_no_softmax_over_the_classes(tmp_path: Path) -> None:
    source = source_of(Ending(3, nn.Softmax(1)), STEPS, OutputSpec("tagging", "probabilities"))
    with pytest.raises(InputError, match="do not sum to 1"):
        export_package(source, tmp_path / "p")


def test_what_only_looks_like_probabilities_is_refused_as_logits(tmp_path: Path) -> None:
    source = source_of(Ending(3, nn.Sequential(nn.Softmax(-1), nn.Hardtanh(0, 1))), STEPS, TAGGING)
    with pytest.raises(InputError, match="are probabilities"):
        export_package(source, tmp_path / "p")


def test_no_bounds_are_derived_for_the_task(tmp_path: Path) -> None:
    with pytest.raises(
        CannotCertifyError, match="the task multilabel; error bounds are derived for binary, multiclass"
    ):
        export_package(source_of(*CASES["multilabel"]), tmp_path / "p", ExportOptions(certified=True))
