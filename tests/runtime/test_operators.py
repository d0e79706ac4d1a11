"""Operators that onnxruntime ships outside the ONNX standard run where contract and caller name them."""

import ast
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import FormatError, InputError, ModelContract, Package, Predictor, TensorSpec, verify
from parity_runtime.arguments import options_are_named
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.files.json_file import dump_json
from parity_runtime.package.manifest import write_manifest
from parity_runtime.package.summary import summarize
from parity_runtime.verification.test_vectors import OrdinaryVectors, VectorSet
from tests.runtime.protobuf import field, metadata

GELU = "com.microsoft::Gelu"
ROWS = np.array([[3.0], [-1.0]], np.float32)


def value(name: str) -> bytes:
    dims = field(1, field(2, b"batch")) + field(1, field(1, 1))
    return field(1, name.encode()) + field(2, field(1, field(1, 1) + field(2, dims)))


def model(contract: ModelContract, *operators: str) -> bytes:
    """A chain of operators from x to y, float32 [batch, 1]."""
    names = ["x", *(f"h{place}" for place in range(1, len(operators))), "y"]
    nodes = b""
    for place, operator in enumerate(operators):
        domain, _, name = operator.rpartition("::")
        ends = field(1, names[place].encode()) + field(2, names[place + 1].encode())
        nodes += field(1, ends + field(4, name.encode()) + field(7, domain.encode()))
    graph = nodes + field(2, b"graph") + field(11, value("x")) + field(12, value("y"))
    opsets = field(8, field(1, b"") + field(2, 17)) + field(8, field(1, b"com.microsoft") + field(2, 1))
    return field(1, 8) + opsets + field(7, graph) + metadata("parity.contract", json.dumps(contract.to_json()))


def package(folder: Path, *operators: str, listed: tuple[str, ...] = (GELU,)) -> Path:
    """Write a package of such a chain, whose contract lists operators."""
    spec = TensorSpec("x", "float32", ("batch", 1)), TensorSpec("y", "float32", ("batch", 1))
    contract = ModelContract(
        "chain", "tensors", (spec[0],), (spec[1],), graphs={"default": "model.onnx"}, operators=listed
    )
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model(contract, *operators))
    (folder / "contract.json").write_bytes(dump_json(contract.to_json()))
    expected = np.array([[2.99595], [-0.15865525]], np.float32)
    vectors = VectorSet(OrdinaryVectors({"x": ROWS}, {"y": expected}, 1e-3, 1e-6), None)
    (folder / "conformance.json").write_bytes(dump_json(vectors.to_json()))
    write_manifest(folder)
    return folder


@pytest.fixture
def gelu(tmp_path: Path) -> Path:
    return package(tmp_path / "gelu", GELU)


def test_it_runs_where_the_caller_allows_it_as_well(gelu: Path) -> None:
    predictor = Predictor(gelu, allow_operators=[GELU])
    assert predictor.run({"x": ROWS})["y"][0, 0] > 2.9
    assert predictor.contract.operators == (GELU,)
    assert ModelContract.from_json(predictor.contract.to_json()) == predictor.contract
    assert verify(gelu, allow_operators=[GELU]).files == 3
    assert any(line.startswith(f"operators   {GELU}") for line in summarize(predictor.contract))


def test_it_is_refused_without_and_what_the_sentence_says_works(gelu: Path, parity) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FormatError, match=r"uses the operator Gelu of 'com\.microsoft'") as caught:
        Predictor(gelu)
    name, _, allowed = str(caught.value).rpartition(" allowed: ")[2].partition("=")
    assert Predictor(gelu, **{name: ast.literal_eval(allowed)}).run({"x": ROWS})["y"].shape == (2, 1)
    with pytest.raises(FormatError) as caught, options_are_named():
        Predictor(gelu)
    options = shlex.split(str(caught.value).rpartition(" allowed: ")[2])
    assert parity("verify", gelu).is_refused(1, "--allow-operator com.microsoft::Gelu")
    assert parity("verify", gelu, *options).code == 0
    assert parity("info", gelu).code == 0


def test_a_worker_may_run_what_its_driver_allowed(gelu: Path) -> None:
    with pytest.raises(FormatError, match="Gelu"):
        WorkerPredictor.of(gelu)
    assert WorkerPredictor.of(gelu, allow_operators=[GELU]).open().run({"x": ROWS})["y"][0, 0] > 2.9


def test_one_that_the_contract_does_not_list_is_refused_whoever_allows_it(tmp_path: Path) -> None:
    hidden = package(tmp_path / "hidden", GELU, "com.microsoft::FastGelu")
    with pytest.raises(FormatError, match="uses com.microsoft::FastGelu, which its contract does not list"):
        Predictor(hidden, allow_operators=[GELU, "com.microsoft::FastGelu"])


@pytest.mark.parametrize("operator", ["com.microsoft::EPContext", "com.example::Own", "com.microsoft.nchwc::Conv"])
def test_others_are_never_run(tmp_path: Path, operator: str) -> None:
    other = package(tmp_path / "other", operator)
    with pytest.raises(FormatError, match="only those of the ONNX standard are run$"):
        Predictor(other)
    with pytest.raises(InputError, match=r"never allowed|not an operator that may be allowed"):
        Predictor(other, allow_operators=[operator])


@pytest.mark.parametrize("listed", [["Gelu"], ["com.microsoft::EPContext"], [3], "com.microsoft::Gelu", [GELU + "\n"]])
def test_a_contract_that_lists_what_nobody_may_allow_is_refused(gelu: Path, listed: object) -> None:
    contract = json.loads((gelu / "contract.json").read_text())
    with pytest.raises(FormatError, match="operators"):
        ModelContract.from_json(contract | {"operators": listed})


def test_what_is_allowed_is_given_as_a_list_of_names(gelu: Path) -> None:
    for wrong in (GELU, ["Gelu"], [None]):
        with pytest.raises(InputError, match=r"list of names|not an operator"):
            Predictor(gelu, allow_operators=wrong)  # type: ignore[arg-type] # that is what is tested


def test_a_contract_without_any_says_nothing_of_them(xor_package: Path) -> None:
    assert "operators" not in Package.open(xor_package).contract.to_json()
