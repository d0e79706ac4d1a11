"""Which parameter of ``forward`` each input is, wherever a module is called."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, assert_parity, export_package, source_from_module
from parity_export.divergence import torch_trace
from parity_export.sources.argument_binding import bind
from parity_runtime import InputError, Package, Predictor, TensorSpec
from tests.export.modules import Named

TORCHS_OWN = pytest.mark.filterwarnings(
    "ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning",
    "ignore:# The axis name. .* will not be used:UserWarning",
)
IDS, KINDS = "ids: int64[batch, 4]", "kinds: int64[batch, 4]"


class Difference(nn.Module):
    """Tells its arguments apart."""

    def forward(self, x: Tensor, mask: Tensor | None = None, *, shift: Tensor | None = None) -> Tensor:
        x = x if mask is None else x + 10 * mask
        return x if shift is None else x - 100 * shift


class Variadic(nn.Module):
    def forward(self, *tensors: Tensor) -> Tensor:
        return tensors[0] - 10 * tensors[1]


class Passed(nn.Module):
    """A wrapper of somebody's, whose signature says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Difference()

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Tensor:
        return self.inner(*args, **kwargs)


class Keywords(nn.Module):
    def forward(self, x: Tensor, **others: Tensor) -> Tensor:
        return x + others["y"]


class Demanding(nn.Module):
    def forward(self, x: Tensor, y: Tensor, *, z: Tensor) -> Tensor:
        return x + y + z


def specs(*names: str) -> list[TensorSpec]:
    return [TensorSpec(name, "float32", ("batch", 3)) for name in names]


def floats(*names: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    return {name: random.standard_normal((5, 3)).astype(np.float32) for name in names}


def answer(module: nn.Module, names: tuple[str, ...], target: Path) -> tuple[np.ndarray, dict[str, np.ndarray], str]:
    """Export a module with these inputs; return the package's answer, the inputs, and what the export said."""
    source = source_from_module(module, specs(*names), OutputSpec(), "m")
    exported = export_package(source, target, ExportOptions(plots=False, effort="quick"))
    assert [spec.name for spec in exported.contract.inputs] == list(names)
    inputs = floats(*names)
    return Predictor(target).run(inputs)["output"], inputs, " ".join(exported.gate_result.notes)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("mask", "shift", "x"), ("x", "shift"), ("shift", "x")])
def test_an_input_that_is_named_as_a_parameter_is_that_parameter(names: tuple[str, ...], tmp_path: Path) -> None:
    found, inputs, notes = answer(Difference(), names, tmp_path / "p")
    expected = inputs["x"] + 10 * inputs.get("mask", np.float32(0)) - 100 * inputs["shift"]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert notes == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "names", "expected", "words"),
    [
        (Difference(), ("x", "attention"), lambda x, a: x + 10 * a, "no parameter attention.*attention as mask"),
        (Difference(), ("mask", "features"), lambda m, f: m + 10 * f, "no parameter features.*mask as x"),
        (Variadic(), ("a", "b"), lambda a, b: a - 10 * b, r"a as tensors\[0\], b as tensors\[1\]"),
        (Passed(), ("x", "mask"), lambda x, m: x + 10 * m, r"x as args\[0\], mask as args\[1\]"),
        (Keywords(), ("y", "x"), lambda y, x: x + y, r"no parameter y: it is one of \*\*others"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_parameter_is_taken_otherwise_and_the_export_says_so(
    module: nn.Module, names: tuple[str, ...], expected, words: str, tmp_path: Path
) -> None:
    found, inputs, notes = answer(module, names, tmp_path / "p")
    np.testing.assert_allclose(found, expected(*inputs.values()), atol=1e-4)
    assert re.search(words, notes), notes
    assert notes in Package.open(tmp_path / "p").read_json("parity.json")["notes"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")  # torch.compile's own
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(nn.DataParallel, marks=pytest.mark.soak),
        pytest.param(torch.compile, marks=pytest.mark.soak),
        lambda module: torch.compile(nn.DataParallel(module)),
    ],
)
def test_a_wrapper_takes_the_names_of_what_it_wraps(wrap: Callable[[nn.Module], nn.Module], tmp_path: Path) -> None:
    found, inputs, notes = answer(wrap(Difference()), ("shift", "x"), tmp_path / "p")
    np.testing.assert_allclose(found, inputs["x"] - 100 * inputs["shift"], atol=1e-4)
    assert notes == ""


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")
def test_a_module_in_torchscript_has_the_names_of_its_schema() -> None:
    module = Named().eval()
    ids, kinds = torch.tensor([[1, 2, 3, 9]]), torch.tensor([[0, 1, 1, 0]])
    scripted, traced = torch.jit.script(module), torch.jit.trace(module, (ids,))
    inputs = [TensorSpec.parse(text) for text in (KINDS, IDS)]
    assert torch.equal(bind(scripted, inputs)(kinds, ids), module(ids, kinds=kinds))
    assert bind(traced, inputs[1:]).by_name
    with pytest.raises(InputError, match=r"\(ids, mask=None, kinds=None\).* leave out ids"):
        bind(scripted, inputs[:1])


@pytest.mark.parametrize(
    ("module", "names", "words"),
    [
        (Demanding(), ("x",), r"forward\(x, y, \*, z\), and the inputs x leave out y, z"),
        (Demanding(), ("a", "b"), r"forward\(x, y, \*, z\).*a, b by position.*'z'"),
        (Difference(), ("mask",), r"forward\(x, mask=None, \*, shift=None\).*leave out x"),
        (Difference(), ("a", "b", "c"), "too many positional"),
        (Keywords(), ("y", "z"), r"forward\(x, \*\*others\).*too many positional"),
    ],
)
def test_inputs_that_cannot_be_the_parameters_are_refused_with_the_parameters(
    module: nn.Module, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        source_from_module(module, specs(*names), OutputSpec(), "m")
    assert "\n" not in str(caught.value)


def test_a_trace_has_the_values_of_the_parameters_that_were_named() -> None:
    inputs = floats("shift", "x")
    trace = torch_trace(source_from_module(Difference().eval(), specs("shift", "x"), OutputSpec(), "m"), inputs)
    np.testing.assert_allclose(list(trace.values())[-1], inputs["x"] - 100 * inputs["shift"], atol=1e-4)


@pytest.mark.slow
def test_the_command_line_binds_by_name_and_says_when_it_does_not(parity, tmp_path: Path) -> None:
    module = Named()
    torch.save(module.state_dict(), tmp_path / "w.pt")
    command = ("export", "tests.export.modules:Named", tmp_path / "p", "--weights", tmp_path / "w.pt", "--force")
    told = parity(*command, "--input", IDS, "--input", KINDS)
    assert told.code == 0 and "by position" not in told.err, told
    ids, kinds = torch.randint(0, 10, (6, 4)), torch.randint(0, 2, (6, 4))
    found = Predictor(tmp_path / "p").run({"ids": ids.numpy(), "kinds": kinds.numpy()})["output"]
    np.testing.assert_allclose(found, module(ids, kinds=kinds).detach().numpy(), atol=1e-5)
    told = parity(*command, "--input", "words: int64[batch, 4]", "--input", "mask: int64[batch, 4]")
    assert told.code == 0, told
    assert "forward(ids, mask=None, kinds=None) has no parameter words" in told.err
    assert "words as ids, mask as mask" in told.err
    refused = parity(*command, "--input", KINDS)
    assert refused.is_refused(1, "forward(ids, mask=None, kinds=None)", "leave out ids"), refused


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A right file whose inputs stand in another order than ``forward``'s parameters."""
    torch.save(Named().state_dict(), tmp_path / "w.pt")
    module = Named().eval()
    module.load_state_dict(torch.load(tmp_path / "w.pt"))
    ids, kinds = torch.zeros(2, 2, 4, dtype=torch.int64)
    batch = {0: torch.export.Dim("batch")}
    torch.onnx.export(module, (ids,), tmp_path / "m.onnx", kwargs={"kinds": kinds}, external_data=False, verbose=False,
                      dynamic_shapes={"ids": batch, "kinds": batch})  # fmt: skip
    model = onnx.load(tmp_path / "m.onnx")
    turned = list(model.graph.input)[::-1]
    del model.graph.input[:]
    model.graph.input.extend(turned)
    assert [value.name for value in model.graph.input] == ["kinds", "ids"]
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.slow
@TORCHS_OWN
@pytest.mark.parametrize("given", [(), (IDS, KINDS), (KINDS, IDS)])
def test_a_file_s_inputs_are_matched_by_name(parity, file: Path, given: tuple[str, ...]) -> None:
    module = Named().eval()
    module.load_state_dict(torch.load(file.with_name("w.pt")))
    if given:
        assert_parity(module, file, list(given))
    else:
        ids, kinds = np.array([[1, 2, 3, 9]] * 3), np.array([[0, 1, 1, 0]] * 3)
        assert_parity(module, file, {"ids": ids, "kinds": kinds})
    options = [word for spec in given for word in ("--input", spec)]
    for command in ("check", "diff"):
        told = parity(command, "tests.export.modules:Named", file, "--weights", file.with_name("w.pt"), *options)
        assert told.code == 0 and "by position" not in told.err, told


@pytest.mark.slow
@TORCHS_OWN
def test_a_refused_file_says_that_its_inputs_were_taken_by_position(parity, file: Path) -> None:
    model = onnx.load(file)
    for node in model.graph.node:
        node.input[:] = [f"my_{name}" if name in ("ids", "kinds") else name for name in node.input]
    for value in model.graph.input:
        value.name = f"my_{value.name}"
    onnx.save(model, file)
    told = parity("check", "tests.export.modules:Named", file, "--weights", file.with_name("w.pt"))
    assert told.code in (1, 3)
    assert "my_kinds as ids, my_ids as mask" in told.err, told


@pytest.mark.slow
@pytest.mark.parametrize("child", ["code", "graph", "recompile"])
def test_a_child_may_have_the_name_of_what_torch_s_own_modules_have(child: str, tmp_path: Path) -> None:
    class Child(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(child, nn.Linear(3, 4))

        def forward(self, x: Tensor) -> Tensor:
            return getattr(self, child)(x) + getattr(self, child).weight.sum()

    module = Child().eval()
    found, inputs, notes = answer(module, ("x",), tmp_path / "p")
    np.testing.assert_allclose(found, module(torch.from_numpy(inputs["x"])).detach(), atol=1e-4)
    graph = onnx.load(tmp_path / "p" / "model.onnx").graph
    assert {f"{child}.weight", f"{child}.bias"} <= {tensor.name for tensor in graph.initializer} and not notes


class Warned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        warnings.warn("once is enough", UserWarning, stacklevel=2)
        return x


def test_a_module_that_warns_is_not_made_to_warn_at_every_call() -> None:
    binding = bind(Warned(), [TensorSpec("x", "float32", ("batch", 2))])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            binding(torch.zeros(1, 2))
    assert [str(one.message) for one in told] == ["once is enough"]
