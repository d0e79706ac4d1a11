"""ONNX files of strangers that are checked: they go through the scan that a package's model goes through."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from parity_export import assert_parity
from parity_export.sources.load_module import load_sample
from parity_runtime import InputError, TensorSpec

pytestmark = pytest.mark.slow

SPEC = "x: float32[batch, 2]"
COMMANDS = ("check", "diff")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt"


def options(weights: Path) -> list[str]:
    return ["--arg", "in_features=2", "--arg", "out_features=2", "--weights", str(weights)]


def saved(path: Path, nodes: list[onnx.NodeProto], functions: tuple[onnx.FunctionProto, ...] = ()) -> Path:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("own", 1)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", *[[value] for value in values])
    model = helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def outside(path: Path) -> Path:
    """A tensor in a subgraph, whose data lie in a file of the current folder."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "8")):
        tensor.external_data.add(key=key, value=value)
    inner = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["b"])], "branch", [], [inner], [tensor])
    condition = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    return saved(path, [
        helper.make_node("Constant", [], ["c"], value=condition),
        helper.make_node("If", ["c"], ["i"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["x", "i"], ["y"]),
    ])  # fmt: skip


def custom(path: Path) -> Path:
    return saved(path, [helper.make_node("FusedMatMul", ["x", "x"], ["y"], domain="com.microsoft")])


def replaced(path: Path) -> Path:
    function = helper.make_function(
        "com.microsoft", "Gelu", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    return saved(path, [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], (function,))


HOSTILE = {
    outside: "keeps a tensor outside the file",
    custom: "the operator FusedMatMul of 'com.microsoft'",
    replaced: "brings a function Gelu of 'com.microsoft'",
}


@pytest.mark.parametrize("make", HOSTILE)
def test_what_a_package_must_not_hold_is_not_checked_either(
    parity, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    monkeypatch.chdir(tmp_path)
    model = make(tmp_path / "m.onnx")
    for command in COMMANDS:
        answer = parity(command, "torch.nn:Linear", model, *options(weights))
        assert answer.is_refused(1, HOSTILE[make], "m.onnx"), answer
    for given in (model, model.read_bytes()):
        with pytest.raises(InputError, match=HOSTILE[make]):
            assert_parity(torch.nn.Linear(2, 2), given, [SPEC])


def test_a_function_of_the_model_s_own_is_checked(tmp_path: Path) -> None:
    function = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model = saved(tmp_path / "m.onnx", [helper.make_node("Twice", ["x"], ["y"], domain="own")], (function,))

    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + x

    assert_parity(Twice(), model, [SPEC])


@pytest.mark.parametrize("command", COMMANDS)
def test_pipes_and_devices_are_no_models_weights_or_samples(
    parity, weights: Path, tmp_path: Path, command: str
) -> None:  # type: ignore[no-untyped-def]
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        answer = parity(command, "torch.nn:Linear", path, *options(weights))
        assert answer.is_refused(1, str(path), "not a regular file"), answer
        answer = parity("check", "torch.nn:Linear", path, *options(path))
        assert answer.is_refused(1, f"the weights file {path}", "not a regular file"), answer
        with pytest.raises(InputError, match="not a regular file"):
            load_sample(path, [TensorSpec.parse(SPEC)])


def test_a_package_that_is_compared_goes_through_the_loader(parity, weights: Path, xor_copy: Path) -> None:  # type: ignore[no-untyped-def]
    from parity_runtime.package.manifest import write_manifest

    (xor_copy / "model.onnx").write_bytes(outside(xor_copy.parent / "m.onnx").read_bytes())
    (xor_copy / "manifest.json").unlink()
    write_manifest(xor_copy)
    answer = parity("diff", "torch.nn:Linear", xor_copy, *options(weights))
    assert answer.is_refused(1, "keeps a tensor outside the file"), answer


def test_a_sample_whose_header_lies_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    import io
    import zipfile

    from numpy.lib import format as npy

    for shape in ((10**6, 10**6), (10**12, 2)):
        header = io.BytesIO()
        npy.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
            archive.writestr("x.npy", header.getvalue() + bytes(16))
        with pytest.raises(InputError, match="is said to be float32"):
            load_sample(tmp_path / "s.npz", [TensorSpec.parse(SPEC)])
    np.savez_compressed(tmp_path / "honest.npz", x=np.zeros((5, 2), np.float32))
    assert load_sample(tmp_path / "honest.npz", [TensorSpec.parse(SPEC)])["x"].shape == (5, 2)


def test_check_asks_where_its_report_goes_before_it_works(parity, weights: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    answer = parity("check", "torch.nn:Linear", "absent.onnx", *options(weights), "--out", "/proc/report.json")
    assert answer.is_refused(1, "cannot write /proc/report.json"), answer
    answer = parity("export", "torch.nn:Linear", "/proc/package", *options(weights), "--input", SPEC)
    assert answer.is_refused(1, "cannot write /proc/package"), answer
