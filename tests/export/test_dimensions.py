"""Which sizes the dynamic dimensions may have: as they are said, as the gate asks, as a predictor holds to them."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from parity_export import ExportOptions, OutputSpec, ProbeOptions, export_package, source_from_module
from parity_export.gate.dimension_sizes import accepted_sizes, main_sizes, other_dimensions
from parity_export.graph.output_shapes import returned_shapes
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError, Predictor
from parity_runtime.dimension_rule import DimensionRule
from tests.export import sequence_modules as modules
from tests.parity.report_modules import Call

PAIR = ["a: float32[batch, past, 3]", "b: float32[batch, time, 3]", "mask: float32[batch, total]"]


def source(specs: list[str], *dimensions: str, module: nn.Module | None = None) -> ModelSource:
    module = module or Call(lambda *tensors: tensors)
    return source_from_module(module.eval(), specs, OutputSpec(), "m", probes=ProbeOptions(dimensions=list(dimensions)))


def sizes_of(one: ModelSource, **options) -> list[dict[str, int]]:
    names = other_dimensions(one.contract)
    return [main_sizes(one, names), *accepted_sizes(one, names, [], (), **options)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("time in 1..512", "time in 1..512"),
        ("width  multiple of 32", "width multiple of 32"),
        ("time in 8..512, multiple of 8", "time in 8..512, multiple of 8"),
        ("time >= 3", "time >= 3"),
        ("total = past+time", "total = past + time"),
        ("total = 2 * time - past + 1, in 2..64", "total = 2*time - past + 1, in 2..64"),
    ],
)
def test_a_rule_is_read_and_written(text: str, written: str) -> None:
    rule = DimensionRule.parse(text)
    assert str(rule) == written
    assert DimensionRule.parse(written) == rule


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["tim in 1..5"], "no input has the dimension tim; did you mean time"),
        (["time in 5..1"], "no size satisfies"),
        (["time in 4..4"], "has one size"),
        (["time multple of 2"], "did you mean multiple of"),
        (["batch in 1..5"], "counts rows"),
        (["total = batch + time"], "counts rows"),
        (["total = past + time", "past = total - time"], "from another in a circle"),
        (["total = past - 2000*time", "past in 1..9"], "no sizes of the dimensions"),
        (["total = past + time, in 1..3", "past in 3..9"], "no sizes of the dimensions"),
        (["time in 1..5", "time in 8..9"], "no size satisfies"),
        (["total = past + time", "total = time"], "derive the same dimension"),
        (["time"], "not a rule for a dimension"),
        (["total = past * time"], "is not a sum"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_one_line(texts: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("*", r"\*")) as caught:
        source(PAIR, *texts)
    assert "\n" not in str(caught.value)


def test_dimensions_are_never_asked_all_alike() -> None:
    found = sizes_of(source(["x: float32[batch, 1, height, width]"]))
    assert all(sizes["height"] != sizes["width"] for sizes in found)
    assert {sizes["height"] for sizes in found} >= {1, 2, 5, 17, 128}
    assert {sizes["width"] for sizes in found} >= {1, 2, 5, 17, 64}


def test_an_axis_that_strides_shorten_is_dynamic() -> None:
    module = nn.Conv2d(1, 2, 32, stride=32).eval()
    one = source_from_module(module, ["x: float32[batch, 1, height, width]"], OutputSpec(), "m")
    assert returned_shapes(one) == [("float32", ("batch", 2, "dim2", "dim3"))]


def test_two_rules_of_a_dimension_hold_together() -> None:
    said = ["time in 4..60", "time multiple of 4", "time multiple of 6", "total in 2..99", "total = past + time"]
    together = ["time in 4..60, multiple of 12", "total = past + time, in 2..99"]
    assert [str(rule) for rule in source(PAIR, *said).example.rules] == together


def test_sizes_keep_to_the_rules() -> None:
    one = source(PAIR, "total = past + time, in 2..40", "time in 2..24", "past multiple of 4")
    for sizes in sizes_of(one):
        assert sizes["total"] == sizes["past"] + sizes["time"] <= 40
        assert sizes["past"] % 4 == 0 and 2 <= sizes["time"] <= 24
    highest = source(["x: float32[batch, time]"], "time in 3..40")
    assert {sizes["time"] for sizes in sizes_of(highest)} >= {3, 40}


def test_long_sizes_are_halved_until_a_row_can_be_paid_for() -> None:
    one = source(["x: float32[batch, height, width]"])
    found = sizes_of(one, affordable=lambda sizes: sizes["height"] * sizes["width"] < 3000)
    assert max(sizes["height"] * sizes["width"] for sizes in found) == 64 * 32


def test_the_contract_carries_the_rules_where_they_were_said() -> None:
    assert "dimensions" not in source(PAIR).contract.to_json()
    assert source(PAIR, "total = past + time").contract.to_json()["dimensions"] == {"total": "= past + time"}


@pytest.mark.slow
def test_a_module_of_multiples_exports_and_its_predictor_holds_to_them(tmp_path: Path) -> None:
    rules = ("height in 4..16, multiple of 4", "width in 4..24, multiple of 4")
    one = source(["image: float32[batch, 1, height, width] in 0..1"], *rules, module=modules.Skip())
    predictor = Predictor(export_package(one, tmp_path / "p", ExportOptions(plots=False, effort="quick")).path)
    assert predictor.run({"image": np.zeros((1, 1, 8, 20), np.float32)})
    with pytest.raises(InputError, match=r"width = 21; the model takes width in 4..24, multiple of 4"):
        predictor.run({"image": np.zeros((1, 1, 8, 21), np.float32)})


@pytest.mark.slow
def test_a_language_model_with_its_cache_exports(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    pasts = [f"{name}: float32[batch, 2, past, 4]" for name in ("past_key", "past_value")]
    specs = ["ids: int64[batch, time]", *pasts, "attention_mask: int64[batch, total]"]
    one = source(specs, "total = past + time, in 2..24", "past in 1..12", "time in 1..8", module=modules.Cached())
    predictor = Predictor(export_package(one, tmp_path / "p", ExportOptions(plots=False)).path)
    past = np.zeros((2, 2, 6, 4), np.float32)
    inputs = {"ids": np.ones((2, 3), np.int64), "past_key": past, "past_value": past}
    logits, keys, _ = predictor.run(inputs | {"attention_mask": np.ones((2, 9), np.int64)}).values()
    assert logits.shape == (2, 3, 30) and keys.shape == (2, 2, 9, 4)
    with pytest.raises(InputError, match=r"total = 8; the model takes total = past \+ time, in 2..24, which is 9"):
        predictor.run(inputs | {"attention_mask": np.ones((2, 8), np.int64)})


@pytest.mark.slow
def test_the_old_name_of_a_cache_goes_through_keywords(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 30, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 24}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    specs = [
        "input_ids: int64[batch, time]",
        *(f"past_key_values.0.{one}: float32[batch, 2, past, 4]" for one in ("keys", "values")),
    ]
    module = transformers.GPT2LMHeadModel(config).eval()
    probes = ProbeOptions(dimensions=["past in 1..8", "time in 1..8"])
    one = source_from_module(module, specs, OutputSpec(output="logits"), "m", probes=probes)
    assert export_package(one, tmp_path / "p", ExportOptions(plots=False, effort="quick")).contract.outputs
