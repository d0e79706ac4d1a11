"""Packages whose large tensors lie in weights.bin, and models that are written as their tensors come."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.light_graph import split_proto, weights_of
from parity_export.model_file import write_model, write_models
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.model_source import ModelSource
from parity_runtime import Package, Predictor, verify
from parity_runtime.inference.session import create_session
from parity_runtime.package.inline_tensors import set_aside
from parity_runtime.package.weights_file import WEIGHTS

CLASSES = ("a", "b", "c")
CERTIFIED = ExportOptions(external_weights=True, certified=True, plots=False, replace=True, effort="quick")


@pytest.fixture(scope="module")
def source() -> ModelSource:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 160), nn.ReLU(), nn.Linear(160, 64), nn.ReLU(), nn.Linear(64, 3)).eval()
    return source_from_module(module, ["x: float32[batch, 8]"], OutputSpec("multiclass", "logits", CLASSES), "m")


@pytest.fixture(scope="module")
def package(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_package(source, tmp_path_factory.mktemp("external") / "m", CERTIFIED).path


def _graph(rows: int = 40) -> OnnxGraph:
    """Return a graph with a tensor of 40 * 64 numbers, and one of three."""
    text = f"m (float[n, {rows}] x) => (float[n, 64] y) {{ s = MatMul(x, w) y = Add(s, b) }}"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {text}')
    for name, shape in (("w", (rows, 64)), ("b", (64,))):
        array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return OnnxGraph(model)


def _aside(graph: OnnxGraph, monkeypatch: pytest.MonkeyPatch) -> OnnxGraph:
    monkeypatch.setattr("parity_export.onnx_graph.LARGE", 4096)
    return OnnxGraph(graph.data)


def test_a_model_that_is_written_as_its_tensors_come_is_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = _graph()
    large = _aside(graph, monkeypatch)
    assert set(large.weights) == {"w"}
    metadata = onnx.ModelProto(metadata_props=[onnx.StringStringEntryProto(key="k", value="v")]).SerializeToString()
    entry = write_model(tmp_path / "m.onnx", large, metadata)
    data = (tmp_path / "m.onnx").read_bytes()
    assert (entry.size, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    read, wanted = onnx.load_from_string(data), onnx.ModelProto()
    wanted.CopyFrom(graph.proto)
    wanted.metadata_props.add(key="k", value="v")
    assert read == wanted
    onnx.checker.check_model(read, full_check=True)


def test_one_row_of_integers_stays_in_the_graph() -> None:
    """onnxruntime asks for the sizes of a Split's parts before it is handed any tensor."""
    names = ", ".join(f"p{index}" for index in range(600))
    text = f"m (float[n, 1200] x) => (float[n, 2] p0) {{ s = Mul(x, w) {names} = Split<axis = 1>(s, sizes) }}"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {text}')
    for name, array in (("w", np.ones(1200, np.float32)), ("sizes", np.full(600, 2))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    light, weights = split_proto(model)
    assert (
        set(weights) == set(weights_of(ir.from_proto(model))) == set(set_aside(model.SerializeToString())[1]) == {"w"}
    )
    rows = {"x": np.ones((3, 1200), np.float32)}
    assert (create_session(light.SerializeToString(), weights=weights).run(["p0"], rows)[0] == 1).all()


def test_two_tensors_of_one_name_are_no_package(tmp_path: Path) -> None:
    graphs = {"model.onnx": _graph(), "certified.onnx": _graph(41)}
    with pytest.raises(ValueError, match="different tensors called w"):
        write_models(tmp_path, graphs, b"", external=True)


def test_only_one_graph_field_stands_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "m.onnx", _aside(_graph(), monkeypatch), b"")
    data, position, fields = (tmp_path / "m.onnx").read_bytes(), 0, []
    while position < len(data):
        key, position = data[position], position + 1
        value = shift = 0
        while True:
            byte, position = data[position], position + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        position += value if key & 7 == 2 else 0
        fields.append(key >> 3)
    assert fields.count(7) == 1


def test_graphs_that_are_too_large_for_one_file_share_weights_bin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity_export.model_file.LARGEST", 8192)
    one, other = _graph(), _graph()
    known, tensors = write_models(tmp_path, {"a.onnx": one, "b.onnx": other}, b"", external=False)
    assert tensors is not None and set(tensors) == {"w"} and set(known) == {"a.onnx", "b.onnx", WEIGHTS}
    assert known[WEIGHTS].size == 40 * 64 * 4 and known["a.onnx"].size < 4096
    read = onnx.load(tmp_path / "a.onnx")  # onnx reads the file beside
    arrays = [onnx.numpy_helper.to_array(tensor).tobytes() for tensor in read.graph.initializer]
    assert arrays == [onnx.numpy_helper.to_array(tensor).tobytes() for tensor in one.proto.graph.initializer]


def test_an_export_with_external_weights_verifies_and_answers_as_the_plain_one(
    package: Path, source: ModelSource, tmp_path: Path
) -> None:
    opened = Package.open(package)
    assert WEIGHTS in opened.entries and "0.weight" in opened.tensors
    assert opened.entries["model.onnx"].size < opened.entries[WEIGHTS].size
    verify(package)
    rows = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
    plain = export_package(source, tmp_path / "plain", ExportOptions(plots=False, effort="quick")).path
    found, wanted = (Predictor(path).run({"x": rows}) for path in (package, plain))
    assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)
    bare = create_session((plain / "model.onnx").read_bytes()).run(["logits"], {"x": rows})[0]
    assert found["logits"].tobytes() == bare.tobytes()


def test_the_certified_graph_shares_the_weights(package: Path) -> None:
    tensors = Package.open(package).tensors
    assert sum(name == "2.weight" for name in tensors) == 1  # one of it for both graphs
    light = onnx.load(package / "model_certified.onnx", load_external_data=False)
    outside = {tensor.name for tensor in light.graph.initializer if tensor.data_location}
    assert {"0.weight", "2.weight"} < outside <= set(tensors)
    rows = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
    certified = Predictor(package, certified=True).run({"x": rows})
    assert certified["certified"].all()
    answers = CertifiedModel.open(package).on_inputs()({"x": rows})
    assert answers["error_bound"].tobytes() == certified["error_bound"].tobytes()


def test_the_same_export_gives_the_same_bytes(package: Path, source: ModelSource, tmp_path: Path) -> None:
    again = export_package(source, tmp_path / "m", CERTIFIED).path
    assert (again / "manifest.json").read_bytes() == (package / "manifest.json").read_bytes()


_FILLED = """
import resource, signal, sys, torch
from torch import nn
from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import InputError
torch.manual_seed(0)
source = source_from_module(nn.Linear(64, 512).eval(), ["x: float32[batch, 64]"], OutputSpec(), "m")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    export_package(source, sys.argv[1], ExportOptions(external_weights=True, replace=True, plots=False, effort="quick"))
except InputError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_disk_that_fills_is_one_line_and_the_old_package_stays(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "m")
    before = {path: path.read_bytes() for path in (tmp_path / "m").rglob("*") if path.is_file()}
    ran = subprocess.run(
        [sys.executable, "-c", _FILLED, str(tmp_path / "m")], capture_output=True, text=True, check=True
    )
    assert "no room to write" in ran.stdout and ran.stdout.count("\n") == 1, ran.stdout + ran.stderr
    assert before == {path: path.read_bytes() for path in (tmp_path / "m").rglob("*") if path.is_file()}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("form", ["protobuf", "onnx_ir"])
def test_a_tensor_that_no_node_takes_is_not_handed_over(form: str, tmp_path: Path) -> None:
    """onnxruntime drops it, and would miss it: an adopted file may hold one."""
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 18]> g (float[n, 64] x) => (float[n, 64] y) { y = MatMul (x, w) }'
    )
    values = {name: np.full((64, 64), size, np.float32) for size, name in enumerate(("w", "unused"))}
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in values.items())
    weights = split_proto(proto)[1] if form == "protobuf" else weights_of(ir.from_proto(proto))
    assert set(weights) == {"w"}
    write_models(tmp_path, {"model.onnx": OnnxGraph(proto)}, b"", external=True)
    session = create_session((tmp_path / "model.onnx").read_bytes(), weights=weights)
    assert session.run(None, {"x": np.ones((1, 64), np.float32)})[0].shape == (1, 64)
