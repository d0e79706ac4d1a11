"""An ONNX file of anybody's: what it is, where its tensors lie, what it takes, and what its writers say of it."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from parity_export.sources.onnx_file.input_shapes import graph_inputs
from parity_export.sources.onnx_file.published_meaning import published_meaning
from parity_export.sources.onnx_file.random_operators import check_deterministic
from parity_export.sources.onnx_file.read_file import read_onnx_file
from parity_runtime import InputError
from tests.export.onnx_files import parsed, perceptron, saved, with_metadata

RELU = "mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04rest", "a zip archive, as torch.save writes"),
        (b"\x00\x00\x00\x00ORTMrest", r"onnxruntime's own format \(.ort\)"),
        (b"\x1c\x00\x00\x00TFL3rest", "TensorFlow Lite"),
        (b"\x80\x02}q\x00.", "a pickle, which is never loaded"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"", "is empty"),
        (b"\x93\xfa\x11\xc0" * 20, "encrypted or cut off"),
        (b"\x08\x08", "holds no graph"),
    ],
)
def test_what_is_no_onnx_model_is_refused_by_what_it_is(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_onnx_file(path)


def test_folders_packages_missing_files_and_cut_off_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder; give the .onnx file itself"):
        read_onnx_file(tmp_path / "folder")
    with pytest.raises(InputError, match="is a package already"):
        read_onnx_file(Path("tests/data/species"))
    with pytest.raises(InputError, match="cannot read the model .*: No such file"):
        read_onnx_file(tmp_path / "absent.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(perceptron().SerializeToString()[:-20])
    with pytest.raises(InputError, match="encrypted or cut off"):
        read_onnx_file(cut)


def outside(tmp_path: Path, **changes: str) -> Path:
    """Return a model whose tensors lie in weights.data beside it, with a changed reference to the first."""
    path = tmp_path / "model.onnx"
    onnx.save(perceptron(), path, save_as_external_data=True, location="weights.data", size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = changes.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())
    return path


def test_tensors_of_a_file_beside_the_model_are_read(tmp_path: Path) -> None:
    found = read_onnx_file(outside(tmp_path)).model
    for one, other in zip(found.graph.initializer, perceptron().graph.initializer, strict=True):
        assert np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location": "../weights.data"}, "outside of the model's folder"),
        ({"location": "/etc/passwd"}, "outside of the model's folder"),
        ({"location": ""}, "outside of the model's folder"),
        ({"location": "link.data"}, "outside of the model's folder"),
        ({"location": "absent.data"}, "absent.data', which cannot be read: No such file"),
        ({"offset": "100000"}, "is cut off before that"),
        ({"offset": "-4"}, "its tensor 'first' has the offset '-4', not a number of bytes"),
        ({"length": "12"}, "takes 64 bytes, and is said to have 12"),
    ],
)
def test_a_tensor_that_lies_elsewhere_is_refused(changes: dict[str, str], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(1000))
    (folder / "link.data").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=message):
        read_onnx_file(outside(folder, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_type": 99}, "has numbers of type 99"),
        ({"dims": [-4]}, r"has the dimensions \[-4\]"),
        ({"dims": [2**33]}, "takes 34359738368 bytes, and has 16"),
        ({"raw_data": b"abc"}, "takes 16 bytes, and has 3; fetch the file again"),
        ({"raw_data": None, "float_data": [1.0]}, "cannot be read: cannot reshape"),
    ],
)
def test_a_tensor_that_holds_not_what_it_says_is_refused(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    fields = {"name": "w", "data_type": 1, "dims": [4], "raw_data": bytes(16)} | changes
    model = parsed("mine (float[4] x) => (float[4] y) { y = Identity(x) }")
    model.graph.initializer.append(
        onnx.TensorProto(**{key: value for key, value in fields.items() if value is not None})
    )
    with pytest.raises(InputError, match=f"its tensor 'w' {message}"):
        read_onnx_file(saved(model, tmp_path / "m.onnx"))


def test_a_size_that_no_file_has_takes_no_memory(tmp_path: Path) -> None:
    model = parsed("mine (float[4] x) => (float[4] y) { y = Identity(x) }")
    tensor = model.graph.initializer.add(name="w", data_type=1, dims=[2**59], data_location=1)
    tensor.external_data.add(key="location", value="w.bin")
    (tmp_path / "w.bin").write_bytes(bytes(16))
    with pytest.raises(InputError, match=f"lies at 0 to {2**61} of .*, which is cut off before that"):
        read_onnx_file(saved(model, tmp_path / "m.onnx"))


def test_an_operator_outside_the_standard_is_refused(tmp_path: Path) -> None:
    model = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = com.microsoft.Gelu(x) }",
                   extra=', "com.microsoft": 1')  # fmt: skip
    with pytest.raises(InputError, match=r"uses the operator Gelu of 'com.microsoft'"):
        read_onnx_file(saved(model, tmp_path / "model.onnx"))


def test_initializers_that_are_listed_as_inputs_are_none(tmp_path: Path) -> None:
    file = read_onnx_file(saved(perceptron(ir_version=3), tmp_path / "old.onnx"))
    assert [str(spec) for spec in graph_inputs(file.model, (), "old")[0].specs] == ["x: float32[N, 2]"]


def imports(**versions: int) -> ModelProto:
    """Return a model that names ONNX's own operators as a file does: `ai_onnx` or `standard`."""
    model = parsed(RELU)
    names = {"ai_onnx": "ai.onnx", "standard": ""}
    model.graph.node[0].domain = "ai.onnx"
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(names[name], version) for name, version in versions.items())
    return model


@pytest.mark.parametrize(
    "versions", [{"ai_onnx": 18}, {"ai_onnx": 18, "standard": 18}, {"standard": 18, "ai_onnx": 18}]
)
def test_onnxs_own_operators_have_one_name(versions: dict[str, int], tmp_path: Path) -> None:
    model = read_onnx_file(saved(imports(**versions), tmp_path / "relu.onnx")).model
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert model.graph.node[0].domain == ""


def test_two_opsets_of_onnxs_own_operators_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has two opsets"):
        read_onnx_file(saved(imports(standard=18, ai_onnx=17), tmp_path / "relu.onnx"))


def taking(*inputs: tuple[str, int, list[str | int | None] | None]) -> ModelProto:
    """Return a model that takes inputs of some shapes, and gives the first."""
    given = [helper.make_tensor_value_info(*one) for one in inputs]
    answer = helper.make_tensor_value_info("y", inputs[0][1], inputs[0][2])
    graph = helper.make_graph([helper.make_node("Identity", [inputs[0][0]], ["y"])], "mine", given, [answer])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def specs(model: ModelProto, *given: str) -> list[list[str]]:
    return [[str(spec) for spec in one.specs] for one in graph_inputs(model, given, "m.onnx")]


def test_dimensions_get_names_that_can_be_written() -> None:
    model = taking(("x", FLOAT, ["p2o.DynamicDimension.0", 3, "?", "p2o.DynamicDimension.1"]))
    (found,) = {tuple(one) for one in specs(model)[:1]}
    assert found == ("x: float32[batch, 3, x_2, p2o_DynamicDimension_1]",)
    first = graph_inputs(model, (), "m.onnx")[0]
    assert first.notes == (
        "the file's dimension 'p2o.DynamicDimension.0' is called batch",
        "the file's dimension 'p2o.DynamicDimension.1' is called p2o_DynamicDimension_1",
    )


def test_a_sum_of_dimensions_is_a_rule_and_other_expressions_are_names() -> None:
    model = taking(
        ("ids", INT64, ["batch", "time"]), ("past", FLOAT, ["batch", "before", 4]),
        ("mask", INT64, ["batch", "before + time"]), ("flat", FLOAT, ["batch*time"]),
    )  # fmt: skip
    found = graph_inputs(model, (), "m.onnx")[0]
    assert [str(spec) for spec in found.specs][2:] == ["mask: int64[batch, before_time]", "flat: float32[batch_time]"]
    assert found.rules == ("before_time = before + time",)


def test_unnamed_sizes_are_tried_apart_then_by_axis_then_as_rows() -> None:
    model = taking(("x", FLOAT, [None, None]), ("state", FLOAT, [2, None, 8]))
    assert specs(model) == [
        ["x: float32[batch, x_1]", "state: float32[2, state_1, 8]"],
        ["x: float32[batch, dim1]", "state: float32[2, dim1, 8]"],
        ["x: float32[batch, x_1]", "state: float32[2, batch, 8]"],
    ]


def test_a_person_says_shapes_that_the_file_leaves_open() -> None:
    model = taking(("input/x:0", FLOAT, None))
    with pytest.raises(InputError, match="does not say the shape of its input input/x:0; say it, as inputs="):
        specs(model)
    assert specs(model, "input/x:0: float32[batch, 5] in 0..1")[0] == ["input/x:0: float32[batch, 5] in 0..1"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("y: float32[batch, 2]", "the graph has no input 'y', but x"),
        ("x: int64[batch, 2]", r"takes x: float32\[N, 2\]; that is not"),
        ("x: float32[batch, 3]", r"takes x: float32\[N, 2\]; that is not"),
        ("x: float32[2]", r"takes x: float32\[N, 2\]; that is not"),
    ],
)
def test_what_contradicts_the_file_is_refused(given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        specs(perceptron(), given)


def test_inputs_that_no_package_takes_are_refused() -> None:
    with pytest.raises(InputError, match=r"takes text \(x\)"):
        specs(taking(("x", TensorProto.STRING, ["batch", 1])))
    with pytest.raises(InputError, match="has the dtype 'uint64'"):
        specs(taking(("x", TensorProto.UINT64, ["batch", 1])))
    model = taking(("x", FLOAT, ["batch", 1]))
    model.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, ["n"])))
    with pytest.raises(InputError, match="takes 'x', a sequence"):
        specs(model)


def test_random_operators_are_named_with_what_scales_them() -> None:
    noisy = parsed("""mine (float[batch, 2] x, float[1] scale) => (float[batch, 2] y) {
        noise = RandomNormalLike (x) scaled = Mul (noise, scale) y = Add (x, scaled) }""")
    with pytest.raises(InputError, match=r"draws random numbers \(RandomNormalLike 'noise'\).* where scale makes its"):
        check_deterministic(noisy, "m.onnx")
    dropping = parsed("""mine (float[batch, 2] x) => (float[batch, 2] y)
        <float ratio = {0.5}, bool training = {1}> { y = Dropout (x, ratio, training) }""")
    with pytest.raises(InputError, match=r"draws random numbers \(Dropout 'y'\).*; export the model without it"):
        check_deterministic(dropping, "m.onnx")
    check_deterministic(parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = Dropout (x) }"), "m.onnx")


def test_ultralytics_metadata_say_the_classes_and_the_images(tmp_path: Path) -> None:
    told = {
        "author": "Ultralytics",
        "task": "classify",
        "names": "{0: 'cat', 1: 'dog', 2: 'none'}",
        "imgsz": "[32, 32]",
    }
    model = with_metadata(parsed("""mine (float[batch, 3, h, w] images) => (float[batch, 3] output0) {
        pooled = GlobalAveragePool (images) flat = Flatten (pooled) output0 = Softmax (flat) }"""), **told)  # fmt: skip
    found = published_meaning(read_onnx_file(saved(model, tmp_path / "m.onnx")))
    assert found.output_spec is not None
    assert found.output_spec.task == "multiclass"
    assert found.output_spec.classes == ("cat", "dog", "none")
    assert found.inputs == ("images: float32[batch, 3, 32, 32] in 0..1",)
    detector = with_metadata(model, **(told | {"task": "detect", "names": "__import__('os').abort()"}))
    found = published_meaning(read_onnx_file(saved(detector, tmp_path / "d.onnx")))
    assert found.output_spec is None
    assert "the task 'detect'" in found.notes[0]


def test_transformers_config_beside_a_file_says_the_labels(tmp_path: Path) -> None:
    model = perceptron(3)
    model.graph.output[0].name = model.graph.node[-1].output[0] = "logits"
    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"],
              "id2label": {"0": "bad", "1": "fair", "2": "good"}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "onnx").mkdir()
    for place in (tmp_path, tmp_path / "onnx"):
        found = published_meaning(read_onnx_file(saved(model, place / "model.onnx")))
        assert found.output_spec is not None
        assert (found.output_spec.task, found.output_spec.classes) == ("multiclass", ("bad", "fair", "good"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"problem_type": "multi_label_classification"}))
    found = published_meaning(read_onnx_file(tmp_path / "model.onnx"))
    assert found.output_spec is not None
    assert found.output_spec.task == "multilabel"
    for strange in ("{", "[]", json.dumps(config | {"id2label": {"0": "bad", "7": "good"}})):
        (tmp_path / "config.json").write_text(strange)
        found = published_meaning(read_onnx_file(tmp_path / "model.onnx"))
        assert found.output_spec is None or not found.output_spec.classes


def test_sklearn_onnx_says_the_classes_before_its_dictionaries(tmp_path: Path) -> None:
    graph = """mine (float[batch, 2] x) => (int64[batch] output_label, float[batch, 3] output_probability) {
        output_label, scores = ai.onnx.ml.LinearClassifier <classlabels_ints = [3, 5, 8], coefficients = [1.0, 0.0,
            0.0, 1.0, 1.0, 1.0], intercepts = [0.0, 0.0, 0.1], post_transform = "SOFTMAX", multi_class = 1> (x)
        output_probability = ai.onnx.ml.ZipMap <classlabels_int64s = [3, 5, 8]> (scores) }"""
    model = parsed(graph, extra=', "ai.onnx.ml": 1')
    model.producer_name = "skl2onnx"
    found = published_meaning(read_onnx_file(saved(model, tmp_path / "m.onnx")))
    assert found.output_spec is not None
    assert found.output_spec.classes == (3, 5, 8)
    assert found.value == "scores"
    assert re.search("the task multiclass and 3 classes are from sklearn-onnx's graph", found.notes[0])
