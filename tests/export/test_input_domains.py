"""What an input may hold: as it is said, as a module shows it, and as the gate keeps to it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, ProbeOptions, export_package, source_from_module
from parity_export.export import Exported
from parity_export.gate.integer_ranges import integer_ranges
from parity_export.gate.probe_sampling import ProbeSampler
from parity_export.sources.domain_arrays import draw, example, project, violation
from parity_export.sources.input_domain import InputDomain
from parity_runtime import InputError, ParityRefusedError, Predictor, TensorSpec
from parity_runtime.arguments import options_are_named
from tests.export import sequence_modules as modules
from tests.parity.architectures import Recurrence, Tagger
from tests.parity.report_modules import Call
from tests.soak import sampled

MASKED = ["x: float32[batch, time, 8]", "attention_mask: int64[batch, time]"]
SHORT = ["time in 2..9"]
MASKS = sampled([modules.Masked, modules.Causal, modules.Window], {"Window"}, lambda module: module.__name__)


def exported(module: nn.Module, specs: list[str], folder: Path, sample=None, **options: object) -> Exported:
    source = source_from_module(module.eval(), specs, OutputSpec(), "m", sample, ProbeOptions(**options))
    return export_package(source, folder / "p", ExportOptions(plots=False, effort="quick"))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mask: int64[batch, time] in 0..1, prefix", "in 0..1, prefix"),
        ("lengths: int64[batch]   in 1 .. time", "in 1..time"),
        ("ids: int64[batch, time] < 50257", "< 50257"),
        ("image: float32[batch, 3, 8, 8] in 0.0..1.50", "in 0..1.5"),
        ("p: float32[batch, k] >= 1e-3, < 2", ">= 0.001, < 2"),
        ("p: float32[batch, k] sorted, > 0", "> 0, sorted"),
        ("p: uint8[batch, k] one-hot", "one-hot"),
        ("p: float32[batch, k] unit  norm", "unit norm"),
        ("p: bool[batch, k] padding", "padding"),
        ("p: float32[batch, k] in 0..1, suffix", "in 0..1, suffix"),
    ],
)
def test_a_domain_is_read_and_written(text: str, canonical: str) -> None:
    spec = TensorSpec.parse(text)
    domain = InputDomain.of(spec)
    assert str(domain) == canonical
    assert InputDomain.of(TensorSpec(spec.name, spec.dtype, spec.shape, canonical)) == domain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: int64[batch, t] in 5..1", "no value satisfies"),
        ("a: float32[batch] > 1, < 1", "no value satisfies"),
        ("a: int64[batch] > 3, < 4", "no value satisfies"),
        ("a: int64[batch, t] unit norm", "holds floats"),
        ("a: int64[batch, t] prefix, one-hot", "exclude one another"),
        ("a: int64[batch, t] one-hot, in 0..5", "has its own range"),
        ("a: int64[batch, t] prefx", "did you mean prefix?"),
        ("a: int64[batch, t] < 3, < 4", "repeats what was said"),
        ("a: uint8[batch, t] in -3..4", "uint8 holds 0 to 255"),
        ("a: int64[batch, t] < tim", "no input has the dimension tim; did you mean time?"),
        ("a: int64[batch, t] < batch", "counts rows"),
        ("a: int64[batch] one-hot", "last axis counts rows"),
    ],
)
def test_a_domain_that_contradicts_itself_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("?", r"\?")) as caught:
        source_from_module(Call(lambda a, x: x), [text, "x: float32[batch, time]"], OutputSpec(), "m")
    assert "\n" not in str(caught.value)


DOMAINS = [
    "int64 in 0..1, prefix", "float32 in 0..1, prefix", "int64 suffix",
    "bool padding", "float32 in 0..1", "float32 > 0", "float32 <= 3", "float32 > 0, < 1e-3",
    "float32 sorted", "float32 sorted, in -1..1", "int8 one-hot", "float32 one-hot", "float32 unit norm", "int64 < 7",
    "int64 in 10..12", "int64 >= 3", "float16 in 0..1", "float32 in 0.1..0.3",
]  # fmt: skip


@pytest.mark.parametrize("text", DOMAINS)
def test_whatever_is_brought_into_a_domain_is_inside(text: str) -> None:
    dtype, _, words = text.partition(" ")
    domain = InputDomain.of(TensorSpec("a", dtype, ("batch", 5), words))
    random = np.random.default_rng(0)
    for scale in (1e-6, 0.3, 3.0, 1e4):
        rows = (random.standard_normal((40, 5)) * scale).astype(dtype)
        assert violation(domain, project(domain, rows, {}), {}) is None
    for filling in (-1, 0, 0.5, 1):
        assert violation(domain, example(domain, (4, 5), {}, filling, np.dtype(dtype)), {}) is None
    if domain.is_shaped:
        assert violation(domain, draw(domain, (40, 5), random, np.dtype(dtype)), {}) is None


@pytest.mark.parametrize("text", DOMAINS)
def test_every_probe_is_inside_of_the_domain(text: str) -> None:
    dtype, _, words = text.partition(" ")
    spec = f"a: {dtype}[batch, 5] {words}"
    source = source_from_module(Call(lambda a, x: (a.float(), x)), [spec, "x: float32[batch, 3]"], OutputSpec(), "m")
    sampler = ProbeSampler(source.contract, {}, integer_ranges(source.contract, {}, lambda _: True), (0.25,))
    domain = InputDomain.of(source.contract.inputs[0])
    parts = [part.inputs for part in sampler.rows(np.random.default_rng(0), None)]
    for rows in [*parts, sampler.missing(np.random.default_rng(0)), sampler.nonfinite()]:
        assert len(rows["a"]) == len(rows["x"]) > 0
        assert violation(domain, rows["a"], {}) is None


def test_kinds_of_which_no_input_holds_a_value_are_left_out() -> None:
    source = source_from_module(nn.Flatten(), ["image: float32[batch, 2, 2] in 0.5..1"], OutputSpec(), "m")
    sampler = ProbeSampler(source.contract, {}, {})
    kinds = {str(part.kinds[0]) for part in sampler.rows(np.random.default_rng(0), None)}
    assert kinds == {"uniform", "special"}
    assert sampler.left_out == ["gaussian", "small", "large", "subnormal", "extreme"]


def domains_of(module: nn.Module, specs: list[str]) -> dict[str, str]:
    contract = source_from_module(module.eval(), specs, OutputSpec(), "m").contract
    return {spec.name: spec.domain for spec in contract.inputs if spec.domain}


TEXT = ["input_ids: int64[batch, time]", "attention_mask: int64[batch, time]"]


@pytest.mark.parametrize("module", [modules.Masked, modules.Additive, modules.Filled, modules.Causal])
def test_a_mask_of_an_attention_is_seen(module: type[nn.Module]) -> None:
    assert domains_of(module(), MASKED) == {"attention_mask": "in 0..1, prefix"}


def test_other_inputs_are_seen_in_what_the_module_does_with_them() -> None:
    assert domains_of(Tagger(), ["ids: int64[batch, time]"]) == {"ids": "in 0..19"}
    assert domains_of(modules.Padded(), ["x: float32[batch, time, 8]", "padding: bool[batch, time]"]) == {
        "padding": "in 0..1, padding"
    }
    assert domains_of(modules.Pooled(), ["x: float32[batch, time, 8]", "mask: int64[batch, time]"]) == {
        "mask": "in 0..1"
    }
    assert domains_of(modules.Edges(), ["x: float32[nodes, 4]", "edges: int64[2, count]"]) == {"edges": "< nodes"}
    gather = Call(lambda x, index: x.gather(1, index))
    assert domains_of(gather, ["x: float32[batch, time]", "index: int64[batch, k]"]) == {"index": "< time"}
    fixed = Call(lambda x, index: x.gather(1, index))
    assert domains_of(fixed, ["x: float32[batch, 4]", "index: int64[batch, k]"]) == {"index": "in 0..3"}


def test_what_is_neither_index_nor_mask_keeps_every_integer() -> None:
    count = Call(lambda x, count: x * count.float().unsqueeze(-1))
    assert domains_of(count, ["x: float32[batch, 3]", "count: int64[batch]"]) == {}
    code = Call(lambda x, code: torch.where(code == 3, x, -x))
    assert domains_of(code, ["x: float32[batch]", "code: int64[batch]"]) == {}
    product = Call(lambda x, count: x @ count.float())
    assert domains_of(product, ["x: float32[batch, 3]", "count: int64[3]"]) == {}


def test_what_was_inferred_is_said_with_the_way_out() -> None:
    source = source_from_module(modules.Masked(), MASKED, OutputSpec(), "m")
    (note,) = source.notes
    assert note.startswith("attention_mask: 0 or 1, a prefix of ones in each row (it is compared")
    with options_are_named():
        (note,) = source_from_module(modules.Masked(), MASKED, OutputSpec(), "m").notes
    assert "--input 'attention_mask: int64[batch, time] in 0..1'" in note
    (note,) = source_from_module(Tagger(), ["ids: int64[batch, time]"], OutputSpec(), "m").notes
    assert note == "ids: 0 to 19 (rows of e.weight)"


def test_samples_that_contradict_a_domain_are_refused_by_index_and_value() -> None:
    sample = {"x": np.zeros((3, 4, 8), np.float32), "attention_mask": np.ones((3, 4), np.int64)}
    sample["attention_mask"][1, 2] = 0
    specs = [MASKED[0], f"{MASKED[1]} in 0..1, prefix"]
    with pytest.raises(InputError, match=r"attention_mask\[1, 3\] is 1;"):
        source_from_module(modules.Masked(), specs, OutputSpec(), "m", sample)
    contract = source_from_module(modules.Masked(), MASKED, OutputSpec(), "m", sample).contract
    assert contract.inputs[1].domain == "in 0..1"  # what was inferred gives way


def test_the_masks_of_samples_that_are_padded_on_the_left_are_suffixes() -> None:
    mask = (np.arange(4) >= [[0], [2], [3]]).astype(np.int64)
    sample = {"x": np.zeros((3, 4, 8), np.float32), "attention_mask": mask}
    source = source_from_module(modules.Masked(), MASKED, OutputSpec(), "m", sample)
    assert source.contract.inputs[1].domain == "in 0..1, suffix"
    assert "suffix of ones in each row, as in the samples" in source.notes[0]


def test_a_domain_beyond_the_table_that_is_indexed_is_refused_with_the_one_that_fits() -> None:
    for given, fitting in (("< 100", "< 20"), ("in 2..20", ">= 2, < 20")):
        with pytest.raises(InputError, match=rf"20 rows of e.weight; write inputs=\['ids: .* {fitting}'\]"):
            source_from_module(Tagger(), [f"ids: int64[batch, time] {given}"], OutputSpec(), "m")


def test_an_example_satisfies_the_domains() -> None:
    specs = ["x: float32[batch, 3] > 2", "k: int64[batch, 4] one-hot", "n: int64[batch] in 5..9"]
    source = source_from_module(Call(lambda x, k, n: x), specs, OutputSpec(), "m")
    for spec, tensor in zip(source.contract.inputs, source.example.tensors(), strict=True):
        assert violation(InputDomain.of(spec), tensor.numpy(), {}) is None


@pytest.mark.slow
@pytest.mark.parametrize("module", MASKS)
def test_an_attention_with_a_mask_exports_undeclared_and_declared(module: type[nn.Module], tmp_path: Path) -> None:
    found = exported(module(), MASKED, tmp_path / "inferred", dimensions=SHORT)
    declared = exported(module(), [MASKED[0], f"{MASKED[1]} in 0..1, prefix"], tmp_path / "said", dimensions=SHORT)
    assert found.contract.inputs == declared.contract.inputs
    written = json.loads((found.path / "contract.json").read_text())
    assert written["inputs"][1]["domain"] == "in 0..1, prefix"
    card = (found.path / "README.md").read_text()
    assert "attention_mask: int64[batch, time] in 0..1, prefix" in card
    blind = [note for note in found.gate_result.notes if "every position is masked" in note]
    assert bool(blind) is (module is modules.Window)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "distilbert", "modernbert", "llama", "clip"])
def test_transformers_export_with_a_mask_of_which_nothing_was_said(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    found = exported(modules.Transformer(kind), TEXT, tmp_path, dimensions=SHORT)
    assert [spec.domain for spec in found.contract.inputs] == ["in 0..29", "in 0..1, prefix"]
    ids = np.arange(7)[None] + np.zeros((3, 1), np.int64)
    inputs = {"input_ids": ids, "attention_mask": (np.arange(7)[None] < [[7], [4], [5]]).astype(np.int64)}
    answer = next(iter(Predictor(found.path).run(inputs).values()))
    assert answer.shape == (3, 7, 8)


@pytest.mark.slow
def test_recurrences_of_any_state_export(tmp_path: Path) -> None:
    exported(Tagger(), ["ids: int64[batch, time]"], tmp_path / "tagger", dimensions=SHORT)
    states = ["x: float32[batch, time, 6]", "h: float32[1, batch, 4]", "c: float32[1, batch, 4]"]
    exported(Recurrence(), states, tmp_path / "recurrence", dimensions=SHORT)


@pytest.mark.slow
def test_what_is_defined_inside_of_its_domain_alone_exports(tmp_path: Path) -> None:
    module = Call(lambda a, b: torch.asin(a) + torch.log(b))
    exported(module, ["a: float32[batch, 3] in -1..1", "b: float32[batch, 3] > 0"], tmp_path / "elementary")
    specs = ["x: float32[batch, time, 4]", "lengths: int64[batch] in 1..time"]
    exported(modules.Lengths(), specs, tmp_path / "lengths", dimensions=SHORT)
    module = Call(lambda x, mask: torch.where(mask[..., None] == 1, x, torch.zeros(())).sum(1))
    specs = ["x: float32[batch, time, 4]", "mask: float32[batch, time] prefix"]
    exported(module, specs, tmp_path / "prefix", dimensions=SHORT)
    module = Call(lambda k, u: k[:, :2] / (u * u).sum(-1, keepdim=True))
    exported(module, ["k: float32[batch, 5] one-hot", "u: float32[batch, 4] unit norm"], tmp_path / "norm")


class Broken(modules.Masked):
    """Answers otherwise in a graph where the mask leaves something out: as a wrong translation does."""

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        right = super().forward(x, attention_mask)
        return right + 1e-2 * (1 - attention_mask).unsqueeze(-1) if torch.compiler.is_exporting() else right


@pytest.mark.slow
def test_a_graph_that_is_wrong_inside_of_a_mask_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityRefusedError):
        exported(Broken(), [MASKED[0], f"{MASKED[1]} in 0..1, prefix"], tmp_path, dimensions=SHORT)


class Additive(nn.Module):
    """An attention that shuts positions out by what it adds to their scores; its graph may lack the scores."""

    def __init__(self, *, drops_scores: bool, pairs: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.drops_scores, self.pairs = nn.Linear(8, 8), drops_scores, pairs

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, kept = self.layer(x), mask[:, None, :].to(x.dtype)
        kept = kept * mask[:, :, None] if self.pairs else kept
        scores = q @ q.transpose(1, 2) * (0.0 if self.drops_scores and torch.compiler.is_exporting() else 0.35)
        return (scores + (1 - kept) * -1e9).softmax(-1) @ x


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [False, pytest.param(True, marks=pytest.mark.soak)])
@pytest.mark.parametrize("dtype", sampled(["int64", "float32"], {"int64"}))
def test_a_large_negative_number_times_a_mask_hides_no_wrong_graph(dtype: str, pairs: bool, tmp_path: Path) -> None:
    specs = ["x: float32[batch, time, 8] in -1..1", f"mask: {dtype}[batch, time] in 0..1, prefix"]
    found = exported(Additive(drops_scores=False, pairs=pairs), specs, tmp_path / "right", dimensions=SHORT)
    floors = [by_output["output"].floor for by_output in found.gate_result.expected.reported_tolerances.values()]
    assert max(floors) < 1e-3
    with pytest.raises(ParityRefusedError, match="ordinary probes"):
        exported(Additive(drops_scores=True, pairs=pairs), specs, tmp_path / "wrong", dimensions=SHORT)
