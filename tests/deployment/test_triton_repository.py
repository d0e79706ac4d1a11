"""The model repository, as Triton would read it: its configuration, and onnxruntime's answers to its data."""

import filecmp
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import DigestError, InputError, Package
from parity_runtime.arguments import options_are_named
from parity_runtime.deployment.deployed_model import PackageOptions
from parity_runtime.deployment.model_config import TritonOptions
from parity_runtime.deployment.triton_repository import deploy_triton
from parity_runtime.inference.session import import_onnxruntime
from parity_runtime.verification.test_vectors import VectorSet
from tests.client_environments import present, run
from tests.deployment.conftest import DATA, PLAIN, parity
from tests.deployment.text_format import parse
from tests.runtime.external_weights import externalize

DTYPES = {"TYPE_FP32": "<f4", "TYPE_INT64": "<i8"}
ROWS = np.array([[0, 1], [1, 1]], np.float32)
XOR = """\
name: "xor"
backend: "onnxruntime"
max_batch_size: 1024
input {
  name: "features"
  data_type: TYPE_FP32
  dims: [ 2 ]
}
output {
  name: "label"
  data_type: TYPE_INT64
  dims: [ 1 ]
  reshape { }
}
output {
  name: "probabilities"
  data_type: TYPE_FP32
  dims: [ 2 ]
  label_filename: "labels.txt"
}
output {
  name: "logits"
  data_type: TYPE_FP32
  dims: [ 1 ]
}
dynamic_batching { }
instance_group {
  count: 1
  kind: KIND_CPU
}
"""


def config_of(model: Path) -> dict[str, Any]:
    return parse((model / "config.pbtxt").read_text())


def warm_up_of(model: Path, config: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Return the inputs of the request that Triton makes of the files: a batch of one where it merges requests."""
    inputs = {}
    for entry in config["model_warmup"][0]["inputs"]:
        (told,) = entry["value"]
        data = (model / "warmup" / told["input_data_file"][0]).read_bytes()
        cells = (
            np.frombuffer(data, DTYPES[told["data_type"][0]]) if "STRING" not in told["data_type"][0] else texts(data)
        )
        shape = [1] * bool(config["max_batch_size"][0]) + told["dims"]
        inputs[entry["key"][0]] = cells.reshape(shape)
    return inputs


def texts(data: bytes) -> "np.ndarray[Any, Any]":
    found = []
    while data:
        end = 4 + int.from_bytes(data[:4], "little")
        found.append(data[4:end].decode())
        data = data[end:]
    return np.array(found, object)


@pytest.mark.parametrize("name", ["xor", "parcels", "series", "rent", "species"])
def test_the_copied_model_answers_its_warm_up_data_as_the_package_says(repository: Path, name: str) -> None:
    model, package = repository / name, Package.open(DATA / name)
    config = config_of(model)
    session = import_onnxruntime().InferenceSession(model / "1" / "model.onnx")
    assert [one["name"][0] for one in config["input"]] == [one.name for one in session.get_inputs()]
    assert config["name"] == [name] == [model.name]
    answers = dict(
        zip([one.name for one in session.get_outputs()], session.run(None, warm_up_of(model, config)), strict=True)
    )
    vectors = VectorSet.from_json(package.read_json("conformance.json"), name).ordinary
    for output in config["output"]:
        found, expected = answers[output["name"][0]], vectors.outputs[output["name"][0]][:1]
        np.testing.assert_allclose(found, expected, vectors.rtol, vectors.atol)
        full = [1, *([] if "reshape" in output else output["dims"])]
        assert len(full) == found.ndim and all(size in (-1, own) for size, own in zip(full, found.shape, strict=True))


def test_the_configuration_of_a_classifier(repository: Path) -> None:
    text = (repository / "xor" / "config.pbtxt").read_text()
    assert text.partition("\n\n")[2].startswith(XOR)
    assert parse(text)["parameters"][0] == {"key": ["intra_op_thread_count"], "value": [{"string_value": ["1"]}]}
    package = Package.open(DATA / "xor")
    assert f"# package {package.id}\n# needs onnxruntime 1.18 or later\n" in text
    assert (repository / "xor" / "contract.json").read_bytes() == package.read("contract.json")
    assert (repository / "species" / "labels.txt").read_text() == "setosa\nversicolor\nvirginica\n"
    assert not (repository / "rent" / "labels.txt").exists()


def test_text_and_dates_and_lengths_have_their_types(repository: Path) -> None:
    inputs = {one["name"][0]: one for one in config_of(repository / "parcels")["input"]}
    assert inputs["categories"]["data_type"] == ["TYPE_STRING"] and inputs["categories"]["dims"] == [2]
    assert inputs["timestamps"]["data_type"] == ["TYPE_INT64"] and inputs["timestamps"]["dims"] == [1]
    series = config_of(repository / "series")
    assert series["input"][0]["dims"] == [-1, 3] and series["output"][0]["dims"] == [-1, 4]


def test_the_certified_graph_and_gpus(tmp_path: Path) -> None:
    options = TritonOptions(max_rows=8, instances=2, threads=3, gpus=2)
    deploy_triton([DATA / "xor_certified"], tmp_path / "models", PackageOptions(certified=True), options)
    config = config_of(tmp_path / "models" / "xor")
    assert [one["name"][0] for one in config["output"]][-2:] == ["error_bound", "certified"]
    assert config["output"][-1]["data_type"] == ["TYPE_BOOL"]
    assert filecmp.cmp(tmp_path / "models/xor/1/model.onnx", DATA / "xor_certified/model_certified.onnx", shallow=False)
    assert config["max_batch_size"] == [8]
    assert config["instance_group"] == [{"count": [2], "kind": ["KIND_GPU"], "gpus": [0, 1]}]
    (accelerator,) = config["optimization"][0]["execution_accelerators"][0]["gpu_execution_accelerator"]
    assert accelerator == {"name": ["cuda"], "parameters": [{"key": ["use_tf32"], "value": ["0"]}]}


@pytest.mark.parametrize("certified", [False, True])
def test_weights_lie_beside_the_graph(tmp_path: Path, certified: bool) -> None:
    package = externalize(Path(shutil.copytree(DATA / "xor_certified", tmp_path / "xor")))
    deploy_triton([package], tmp_path / "models", PackageOptions(certified=certified), TritonOptions())
    folder = tmp_path / "models" / "xor" / "1"
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "weights.bin"]
    (label,) = import_onnxruntime().InferenceSession(folder / "model.onnx").run(["label"], {"features": ROWS})
    assert label.tolist() == [1, 0]


def test_nothing_is_replaced_that_was_not_written(tmp_path: Path) -> None:
    target = tmp_path / "models"
    deploy_triton([DATA / "xor"], target, PLAIN, TritonOptions())
    with pytest.raises(InputError, match="exists"):
        deploy_triton([DATA / "rent"], target, PLAIN, TritonOptions())
    deploy_triton([DATA / "rent"], target, PLAIN, TritonOptions(), replace=True)
    assert sorted(path.name for path in target.iterdir()) == ["deployment.json", "rent"]
    config = target / "rent" / "config.pbtxt"
    written = config.read_text()
    for changed in (config, target / "mine.txt"):
        changed.write_text("mine")
        with pytest.raises(InputError, match=rf"holds .*{changed.name}, which parity deploy triton did not write"):
            deploy_triton([DATA / "rent"], target, PLAIN, TritonOptions(), replace=True)
        assert changed.read_text() == "mine" and [*tmp_path.iterdir()] == [target]
        config.write_text(written)
    (target / "deployment.json").unlink()
    with pytest.raises(InputError, match="is not empty and was not written by parity deploy triton"):
        deploy_triton([DATA / "rent"], target, PLAIN, TritonOptions(), replace=True)


@pytest.mark.parametrize("replace", [True, False])  # nobody is told to say --force where that is refused as well
def test_a_package_is_not_taken_for_a_repository(tmp_path: Path, replace: bool) -> None:
    package = shutil.copytree(DATA / "rent", tmp_path / "rent")
    with pytest.raises(InputError, match="was not written by parity deploy triton; it is not replaced"):
        deploy_triton([DATA / "xor"], Path(package), PLAIN, TritonOptions(), replace=replace)


def test_a_damaged_package_leaves_nothing(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(DATA / "rent", damaged)
    (damaged / "model.onnx").write_bytes(b"x" + (damaged / "model.onnx").read_bytes()[1:])
    with pytest.raises(DigestError):
        deploy_triton([DATA / "xor", damaged], tmp_path / "models", PLAIN, TritonOptions())
    assert [*tmp_path.iterdir()] == [damaged]


@pytest.mark.parametrize(
    ("names", "options", "line"),
    [
        (["xor", "xor_certified"], PLAIN, "are both called xor; deploy each into a folder of its own"),
        (["xor"], PackageOptions(certified=True), "xor has no certified graph; export it with"),
        (["xor", "rent"], PackageOptions(digest="0" * 64), "digest names one package, and 2 are deployed"),
    ],
)
def test_packages_that_are_not_deployed(tmp_path: Path, names: list[str], options: PackageOptions, line: str) -> None:
    with pytest.raises(InputError, match=line):
        deploy_triton([DATA / name for name in names], tmp_path / "models", options, TritonOptions())
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    done = parity("deploy", "triton", DATA / "xor", "--out", tmp_path / "models", "--max-rows", 7)
    package = Package.open(DATA / "xor")
    assert done.stdout == f"{tmp_path}/models/xor ({package.id}): batches of up to 7 rows\n" and not done.stderr
    with options_are_named(), pytest.raises(InputError, match="or let it be replaced with --force$"):
        deploy_triton([DATA / "xor"], tmp_path / "models", PLAIN, TritonOptions())


@present("clients")
@pytest.mark.slow
def test_tritons_own_protobuf_reads_the_configurations(repository: Path) -> None:
    found = {
        path.parent.name: config_of(path.parent)["max_batch_size"][0] for path in repository.glob("*/config.pbtxt")
    }
    script = Path(__file__).parent / "clients" / "triton_configs.py"
    run("clients", "python", script, repository, json.dumps(found))
