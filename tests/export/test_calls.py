"""Modules as they are called: nested inputs, named outputs, half precision."""

import dataclasses
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, assert_parity, check_model, export_package, source_from_module
from parity_export.sources.argument_binding import bind
from parity_export.sources.output_choice import all_outputs, chosen_outputs
from parity_runtime import InputError, Package, Predictor, TensorSpec
from parity_runtime.inference.session import create_session
from tests.export.modules import Linear

BATCH = ("batch.ids: int64[batch, 4]", "batch.mask: float32[batch, 4]")
TABLE = ("x: float32[batch, 4]",)
DECIDED = ["label", "probabilities", "logits"]


class Points(NamedTuple):
    first: Tensor
    second: Tensor


@dataclasses.dataclass
class Answer:
    scores: Tensor
    states: list[Tensor]
    loss: Tensor | None = None


class DynamicCache:
    """What transformers keep from token to token, as far as its name and layers go."""

    def __init__(self, *layers: Any) -> None:
        self.layers = layers


@dataclasses.dataclass
class Layer:
    keys: Tensor
    values: Tensor


class FromDict(nn.Module):
    """Takes a dict, returns one."""

    def __init__(self) -> None:
        super().__init__()
        self.e, self.l = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, batch: dict[str, Tensor], scale: float = 1.0) -> dict[str, Tensor | None]:
        hidden = self.e(batch["ids"]) * batch["mask"].unsqueeze(-1) * scale
        return {"logits": self.l(hidden.mean(1)), "hidden": hidden, "loss": None}


class Returning(nn.Linear):
    """Returns what is made of its answer."""

    def __init__(self, make: Any) -> None:
        super().__init__(4, 3)
        self.make = make

    def forward(self, x: Tensor) -> Any:
        return self.make(super().forward(x))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.r = nn.RNNCell(4, 3)

    def forward(self, x: Tensor, states: tuple[Tensor, dict[str, Tensor]]) -> Tensor:
        return self.r(x, states[0]) + states[1]["more"]


class HalfWeights(nn.Module):
    """Casts in its own code."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(4, 2).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        half = self.l(x.to(dtype=torch.bfloat16)) + torch.ones(2, dtype=torch.bfloat16)
        return half.float() + self.l(x.bfloat16()).to(x.dtype)


class Autocasting(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x)


class Exportable(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not torch.compiler.is_exporting()):
            return super().forward(x)


def exported(
    module: nn.Module, inputs: tuple[str, ...], output_spec: OutputSpec, target: Path
) -> tuple[list[str], str]:
    """Export a module; return the names of the outputs, and what was said."""
    source = source_from_module(module.eval(), inputs, output_spec, "m")
    found = export_package(source, target, ExportOptions(plots=False, effort="quick"))
    return [spec.name for spec in found.contract.outputs], " ".join(found.gate_result.notes)


@pytest.mark.slow
def test_inputs_with_dots_lie_in_a_dict_under_the_names_that_every_reader_of_the_graph_takes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = FromDict()
    names, notes = exported(module, BATCH, OutputSpec(), tmp_path / "p")
    assert (names, notes) == (["logits", "hidden"], "batch.ids: 0 to 9 (rows of e.weight)")
    ids, mask = np.arange(12).reshape(3, 4) % 10, np.random.default_rng(0).random((3, 4), np.float32)
    feed = {"batch.ids": ids, "batch.mask": mask}
    expected = module({"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask)})
    data = (tmp_path / "p" / "model.onnx").read_bytes()
    found = [
        Predictor(tmp_path / "p").run(feed),
        dict(zip(names, create_session(data).run(names, feed), strict=True)),
        dict(zip(names, ReferenceEvaluator(onnx.load_from_string(data)).run(names, feed), strict=True)),
    ]
    for answer in found:
        for name in names:
            np.testing.assert_allclose(answer[name], expected[name].detach().numpy(), atol=1e-6)
    stored = onnx.load_tensor(str(tmp_path / "p" / "test_data_set_0" / "input_1.pb"))
    assert stored.name == "batch.mask"
    assert_parity(module, tmp_path / "p" / "model.onnx", list(BATCH))


@pytest.mark.slow
def test_an_argument_may_be_a_tuple_of_tensors_and_dicts(tmp_path: Path) -> None:
    module = Recurrent()
    inputs = ("states.1.more: float32[batch, 3]", "x: float32[batch, 4]", "states.0: float32[batch, 3]")
    exported(module, inputs, OutputSpec(), tmp_path / "p")
    x, state, more = torch.randn(2, 4), torch.randn(2, 3), torch.randn(2, 3)
    feed = {"states.1.more": more.numpy(), "x": x.numpy(), "states.0": state.numpy()}
    expected = module(x, (state, {"more": more})).detach().numpy()
    np.testing.assert_allclose(Predictor(tmp_path / "p").run(feed)["output"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "names", "groups", "by_name"),
    [
        (FromDict(), ("batch.ids", "batch.mask"), {"batch": ["batch.ids", "batch.mask"]}, True),
        (FromDict(), ("inputs.ids", "inputs.mask"), {"inputs": ["inputs.ids", "inputs.mask"]}, False),
        (nn.Bilinear(2, 2, 2), ("input.1", "input.2"), {"input.1": ["input.1"], "input.2": ["input.2"]}, False),
        (nn.Linear(2, 2), ("input.1",), {"input.1": ["input.1"]}, False),  # as torch.jit names it
    ],
)
def test_dots_mean_something_where_the_module_is_called_so(
    module: nn.Module, names: tuple[str, ...], groups: object, by_name: bool
) -> None:
    found = bind(module, [TensorSpec(name, "float32", ("batch", 2)) for name in names])
    assert (found.groups, found.by_name) == (groups, by_name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "output_spec", "names"),
    [
        (lambda y: Points(y, y * 2), OutputSpec(), ["first", "second"]),
        (lambda y: Answer(y, [y * 2, y.sum(1)]), OutputSpec(output=["states=more"]), ["more.0", "more.1"]),
        (lambda y: (y, {"a": y * 2}), OutputSpec(), ["output_0", "output_1.a"]),
        (lambda y: (y, (y * 2, y.sum(1))), OutputSpec(), ["output_0", "output_1", "output_2"]),
        (lambda y: (y, (y * 2, y.sum(1))), OutputSpec(output=["1.1", "0=first"]), ["output_1.1", "first"]),
        (lambda y: Answer(y, []), OutputSpec("multiclass", output="scores=logits"), DECIDED),
        (lambda y: {"logits": y, "aux": y}, OutputSpec("multiclass", "logits"), DECIDED),
        (lambda y: {"points": y, "aux": y}, OutputSpec("regression", "points"), ["value"]),
    ],
)  # fmt: skip
def test_outputs_are_chosen_and_called_by_their_names(
    make: Any, output_spec: OutputSpec, names: list[str], tmp_path: Path
) -> None:
    module = Returning(make)
    found, _ = exported(module, TABLE, output_spec, tmp_path / "p")
    assert found == names
    x = torch.randn(5, 4)
    answers = Predictor(tmp_path / "p").run({"x": x.numpy()})
    returned = module(x)
    known = {leaf.name: leaf.of(returned) for leaf in all_outputs(returned).known}
    if output_spec.task == "tensors" and output_spec.output is None:
        for name, tensor in zip(names, known.values(), strict=True):
            np.testing.assert_allclose(answers[name], tensor.detach().numpy(), atol=1e-6)
    else:
        plain = nn.functional.linear(x, module.weight, module.bias).detach().numpy()
        own = {"more.0": plain * 2, "more.1": plain.sum(1), "output_1.1": plain.sum(1)}
        for name in {*names} - {"label", "probabilities"}:
            np.testing.assert_allclose(answers[name], own.get(name, plain), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "output_spec", "words"),
    [
        (lambda y: {"logits": y, "aux": y}, {"output": "logit"}, "no tensor 'logit', but logits, aux; did you mean"),
        (lambda y: {"logits": y, "aux": y}, {"task": "regression"}, "logits, aux; choose one, as output='logits'"),
        (lambda y: (y, y), {"task": "multiclass", "output": "logits"}, "but 0, 1; what it calls .* output='0=logits'"),
        (lambda y: {"scores": y, "aux": y}, {"task": "multiclass", "output": "scores"}, "output='scores=logits'"),
        (lambda y: {"a": y, "b": y}, {"output": ["a=c", "b=c"]}, "two outputs would be called 'c'"),
        (lambda y: {"a": y, "b": y}, {"output": "a="}, "is written as NAME, or as NAME=OTHER"),
        (lambda y: y, {"output": "logits"}, "chooses among several outputs, and the module returns one tensor alone"),
        (lambda y: y, {"task": "multiclass", "output": ["logits", "probabilities"]}, "takes one output, not 2"),
    ],
)  # fmt: skip
def test_an_output_that_there_is_not_is_refused_with_those_that_there_are(
    make: Any, output_spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        source_from_module(Returning(make).eval(), TABLE, OutputSpec(**output_spec), "m")
    assert "\n" not in str(caught.value)


def test_caches_are_left_out_and_named_and_taken_where_they_are_chosen() -> None:
    y = torch.ones(1)
    returned = {"logits": y, "cache": DynamicCache(Layer(y, y + 1)), "past_key_values": (y, y)}
    choice = all_outputs(returned)
    assert choice.names == ("logits",)
    assert choice.notes == (
        "the module also returns cache, past_key_values, which is left out; output=['cache'] takes it",
    )
    chosen = chosen_outputs(returned, [("logits", "logits"), ("cache", "present")])
    assert chosen.names == ("logits", "present.0.keys", "present.0.values")
    assert chosen.pick(returned)[2] == 2


@pytest.mark.slow
def test_a_file_s_outputs_are_matched_by_name(tmp_path: Path) -> None:
    module = Returning(lambda y: {"a": y, "b": y * 2}).eval()
    exported(module, TABLE, OutputSpec(output=["b", "a"]), tmp_path / "p")
    assert_parity(module, tmp_path / "p" / "model.onnx", list(TABLE))
    exported(module, TABLE, OutputSpec(output=["b"]), tmp_path / "one")
    assert_parity(module, tmp_path / "one" / "model.onnx", list(TABLE))
    source = source_from_module(module, TABLE, OutputSpec(output="a"), "m")
    with pytest.raises(InputError, match="the module returns 1 tensor, and the model 2: b, a"):
        check_model(source, (tmp_path / "p" / "model.onnx").read_bytes())


@pytest.mark.slow
def test_the_command_line_says_what_was_done_with_weights_and_inputs_in_half_precision(parity, tmp_path: Path) -> None:
    weights = {f"module.{name}": tensor.bfloat16() for name, tensor in Linear().state_dict().items()}
    torch.save({"model": weights}, tmp_path / "w.pt")
    command = ("export", "tests.export.modules:Linear", tmp_path / "p", "--weights", tmp_path / "w.pt", "--no-plots")
    told = parity(*command, "--input", "x: bfloat16[batch, 5]")
    assert told.code == 0, told
    said = [
        "w.pt: the weights are its entry model",
        "w.pt: the prefix module. is taken off the names of 2 tensors",
        "w.pt: 2 tensors are bfloat16; read as float32, exactly",
        "x is taken as float32: numpy and onnxruntime have no arrays of bfloat16",
    ]
    assert told.err.splitlines() == said
    assert Package.open(tmp_path / "p").read_json("parity.json")["notes"] == said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "spec", "said"),
    [
        (HalfWeights(), "x: float32[batch, 4]", "in bfloat16: its weights are float32 here, exactly"),
        (nn.Linear(4, 2).bfloat16(), "x: bfloat16[batch, 4]", "x is taken as float32.* in bfloat16: its weights"),
        (nn.Linear(4, 2).half(), "x: float16[batch, 4]", "in float16: its weights"),
        (Returning(Tensor.bfloat16), "x: float32[batch, 4]", "computes in bfloat16, which onnxruntime does not"),
        (Exportable(4, 2), "x: float32[batch, 4]", "computes in bfloat16, which onnxruntime does not"),
    ],
)
def test_half_precision_is_computed_in_float32_and_it_is_said(
    module: nn.Module, spec: str, said: str, tmp_path: Path
) -> None:
    before = {name: tensor.dtype for name, tensor in module.state_dict().items()}
    _, notes = exported(module, (spec,), OutputSpec(), tmp_path / "p")
    assert re.search(said, notes), notes
    assert {name: tensor.dtype for name, tensor in module.state_dict().items()} == before
    predictor = Predictor(tmp_path / "p")
    x = torch.randn(3, 4).to(torch.float16)
    found = predictor.run({"x": x.numpy().astype(predictor.contract.inputs[0].dtype)})["output"]
    assert found.dtype == np.float32
    dtype = next(module.parameters()).dtype
    expected = module(x.to(dtype) if "bfloat16[" in spec or "float16[" in spec else x.float())
    np.testing.assert_allclose(found, expected.detach().float().numpy(), atol=0.05)


@pytest.mark.slow
def test_float16_inputs_and_outputs_of_a_module_in_float32_stay_what_they_are(tmp_path: Path) -> None:
    class Casting(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.float()).half()

    module = Casting(4, 2)
    assert exported(module, ("x: float16[batch, 4]",), OutputSpec(), tmp_path / "p")[1] == ""
    x = torch.randn(3, 4).half()
    found = Predictor(tmp_path / "p").run({"x": x.numpy()})["output"]
    np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-2)
    assert found.dtype == np.float16


@pytest.mark.slow
def test_autocasting_is_refused_with_a_way_out_that_works(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"under torch.autocast.*enabled=not torch.compiler.is_exporting\(\)"
    ) as caught:
        exported(Autocasting(4, 2), TABLE, OutputSpec(), tmp_path / "p")
    assert "\n" not in str(caught.value)  # `Exportable` above takes the way out
