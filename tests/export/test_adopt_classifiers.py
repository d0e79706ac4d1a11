"""parity adopt of classifiers: what sklearn-onnx writes, and files that decide by themselves beside their scores."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from parity_export import Adoption, ExportOptions, OutputSpec, adopt_package, source_from_onnx
from parity_runtime import InputError, ParityRefusedError, Predictor
from tests.export.onnx_files import parsed, saved

pytestmark = pytest.mark.slow

QUICK = ExportOptions(plots=False, effort="quick")
PROBABILITIES = Adoption(output_spec=OutputSpec("multiclass", "p=probabilities", ("a", "b", "c")))


def deciding(how: str) -> ModelProto:
    """Return a graph with probabilities and a label that is made of something."""
    return parsed(f"""mine (float[N, 3] x) => (int64[N] label, float[N, 3] p) <float[3] k = {{1.0, 1.0, 2.0}}> {{
        p = Softmax <axis = 1> (x)
        other = Mul (p, k)
        label = ArgMax <axis = 1, keepdims = 0> ({how}) }}""")


def linear(after: str, outputs: str, *, classes: str = '["no", "yes"]', transform: str = "LOGISTIC") -> ModelProto:
    """Return a linear classifier as sklearn-onnx writes it."""
    model = parsed(
        f"""mine (float[N, 2] X) => ({outputs}) {{
        label, probabilities = ai.onnx.ml.LinearClassifier <classlabels_strings = {classes}, coefficients =
            [-1.0, 0.5, 1.0, -0.5], intercepts = [0.1, -0.1], post_transform = "{transform}", multi_class = 0> (X)
        {after} }}""",
        extra=', "ai.onnx.ml": 1',
    )
    model.producer_name = "skl2onnx"
    return model


ZIPPED = """output_label = Identity (label)
    output_probability = ai.onnx.ml.ZipMap <classlabels_strings = ["no", "yes"]> (probabilities)"""
DICTIONARIES = "string[N] output_label, seq(map(string, float)) output_probability"


def test_a_file_that_decides_otherwise_than_by_its_probabilities_is_refused(tmp_path: Path) -> None:
    path = saved(deciding("other"), tmp_path / "m.onnx")
    with pytest.raises(ParityRefusedError, match=r"its output 'label' is '2' where the largest belongs to '[ab]', in .*"
                       r"take its outputs as they are: task='tensors'"):  # fmt: skip
        adopt_package(path, tmp_path / "p", PROBABILITIES, QUICK)
    adopted = adopt_package(path, tmp_path / "p", Adoption(output_spec=OutputSpec("tensors")), QUICK)
    assert [spec.name for spec in adopted.contract.outputs] == ["label", "p"]


def test_a_file_that_decides_by_its_probabilities_is_taken(tmp_path: Path) -> None:
    path = saved(deciding("p"), tmp_path / "m.onnx")
    assert adopt_package(path, tmp_path / "p", PROBABILITIES, QUICK).contract.classes == ("a", "b", "c")


def test_labels_of_a_threshold_that_a_person_set_are_the_persons(tmp_path: Path) -> None:
    model = parsed("""mine (float[N, 1] x) => (int64[N, 1] label, float[N, 1] p) <float half = {0.5}> {
        p = Sigmoid (x)
        is = Greater (p, half)
        label = Cast <to = 7> (is) }""")
    path = saved(model, tmp_path / "m.onnx")
    spec = OutputSpec("binary", "p=probabilities", threshold=0.3)
    assert adopt_package(path, tmp_path / "p", Adoption(output_spec=spec), QUICK).contract.threshold == 0.3


def test_a_logistic_regression_of_sklearn_onnx_is_adopted(tmp_path: Path) -> None:
    path = saved(linear(ZIPPED, DICTIONARIES), tmp_path / "m.onnx")
    adopted = adopt_package(path, tmp_path / "p", options=QUICK)
    assert (adopted.contract.task, adopted.contract.classes) == ("multiclass", ("no", "yes"))
    x = np.array([[1, 1], [-1, 2]], np.float32)
    expected = 1 / (1 + np.exp(-(x @ np.array([1.0, -0.5]) - 0.1)))
    assert np.allclose(Predictor(adopted.path).run({"X": x})["probabilities"][:, 1], expected)


def test_tensors_are_what_the_dictionaries_are_made_of(tmp_path: Path) -> None:
    path = saved(linear(ZIPPED, DICTIONARIES), tmp_path / "m.onnx")
    source = source_from_onnx(path, Adoption(output_spec=OutputSpec("tensors")))
    assert source.outputs.names == ("output_probability",)
    assert any("output_label is text, and is left out" in note for note in source.notes)
    with pytest.raises(InputError, match=r"returns output_label as text, which is not compared; choose its other"):
        source_from_onnx(path, Adoption(output_spec=OutputSpec("tensors", ["output_label"])))


def test_scores_without_probabilities_are_logits(tmp_path: Path) -> None:
    outputs = "string[N] label, float[N, 2] probabilities"
    source = source_from_onnx(saved(linear("", outputs, transform="NONE"), tmp_path / "m.onnx"))
    assert (source.contract.task, source.module_output) == ("multiclass", "logits")
    assert "probabilities holds scores, which are taken as logits" in source.notes[0]


def test_scores_of_a_support_vector_machine_have_no_meaning(tmp_path: Path) -> None:
    model = parsed(
        """mine (float[N, 2] X) => (int64[N] label, float[N, 2] probabilities) {
        label, probabilities = ai.onnx.ml.SVMClassifier <classlabels_ints = [0, 1], coefficients = [1.0, -1.0],
            kernel_params = [0.5, 0.0, 3.0], kernel_type = "RBF", post_transform = "NONE", rho = [0.1],
            support_vectors = [1.0, 0.0, 0.0, 1.0], vectors_per_class = [1, 1]> (X) }""",
        extra=', "ai.onnx.ml": 1',
    )
    model.producer_name = "skl2onnx"
    source = source_from_onnx(saved(model, tmp_path / "m.onnx"))
    assert source.contract.task == "tensors"
    assert "it is left without a meaning" in source.notes[0]
