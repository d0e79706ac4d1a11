"""What is compared where, samples alone, and a callable that draws the probes."""

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, ProbeOptions, export_package, source_from_module
from parity_export.export import Exported
from parity_runtime import InputError, ParityRefusedError, Predictor, verify
from parity_runtime.arguments import options_are_named
from tests.export.sequence_modules import Masked
from tests.export.test_sabotage import Function
from tests.parity.report_modules import Call

ANY_MASK = ["x: float32[batch, time, 8]", "attention_mask: int64[batch, time] in 0..1"]
SHORT = ["time in 2..6"]
TABLE = ["x: float32[batch, 3]"]


def exported(module: nn.Module, specs: list[str], folder: Path, sample=None, **options: object) -> Exported:
    source = source_from_module(module.eval(), specs, OutputSpec(), "m", sample, ProbeOptions(**options))
    return export_package(source, folder / "p", ExportOptions(plots=False))


class Garbage(nn.Module):
    """Right where the mask is 1; elsewhere torch and a graph answer otherwise."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        import torch

        elsewhere = 7.0 if torch.compiler.is_exporting() else 3.0
        return torch.where(mask.unsqueeze(-1) > 0, x * 2, elsewhere)


@pytest.mark.slow
def test_an_output_is_compared_only_where_a_mask_says(tmp_path: Path) -> None:
    specs = ["x: float32[batch, 4, 3]", "mask: int64[batch, 4] in 0..1"]
    with pytest.raises(ParityRefusedError):
        exported(Garbage(), specs, tmp_path / "everywhere")
    found = exported(Garbage(), specs, tmp_path / "somewhere", compare=["output where mask"])
    assert "output was compared only where mask is not 0" in found.gate_result.notes
    assert "compared only where mask is not 0" in (found.path / "README.md").read_text()
    differences = found.gate_result.report.differences("output", "ordinary")
    assert all(0 < one.compared < one.values for one in differences if one.values > 200)


@pytest.mark.slow
def test_what_is_wrong_where_it_is_compared_is_refused(tmp_path: Path) -> None:
    class Wrong(Garbage):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            import torch

            return super().forward(x, mask) + (1e-2 if torch.compiler.is_exporting() else 0.0)

    specs = ["x: float32[batch, 4, 3]", "mask: int64[batch, 4] in 0..1"]
    with pytest.raises(ParityRefusedError):
        exported(Wrong(), specs, tmp_path, compare=["output where mask"])


@pytest.mark.parametrize(
    ("compare", "words"),
    [
        (["output where attention_mas"], "no input attention_mas; did you mean attention_mask"),
        (["output"], "does not say what is compared where"),
        (["output where x", "output where attention_mask"], "was said before"),
    ],
)
def test_a_comparison_that_names_nothing_is_refused(compare: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        source_from_module(Masked(), ANY_MASK, OutputSpec(), "m", probes=ProbeOptions(compare=compare))


@pytest.mark.slow
@pytest.mark.parametrize(("output", "words"), [("outpu", "did you mean output"), ("output", "not the first ones of")])
def test_an_output_that_is_not_there_or_has_other_axes_is_refused(output: str, words: str, tmp_path: Path) -> None:
    specs = ["x: float32[batch, 4]", "mask: int64[batch, 4] in 0..1"]
    module = Call(lambda x, mask: (x * mask).sum(1))
    with pytest.raises(InputError, match=words):
        exported(module, specs, tmp_path, compare=[f"{output} where mask"])


@pytest.mark.slow
def test_nothing_but_the_samples_is_asked(tmp_path: Path) -> None:
    sample = {"x": np.random.default_rng(0).uniform(1, 2, (40, 3)).astype(np.float32)}
    found = exported(Function(lambda _, x: x.log()), TABLE, tmp_path, sample, samples_only=True)
    assert found.gate_result.oracle is not None
    assert found.gate_result.oracle.probes.counts() == {"sample": 40}
    assert "only the given rows were compared" in (found.path / "README.md").read_text()


def test_samples_alone_need_samples_and_no_callable() -> None:
    with pytest.raises(InputError, match="there is none; give sample"):
        source_from_module(nn.Linear(3, 1), TABLE, OutputSpec(), "m", probes=ProbeOptions(samples_only=True))
    with options_are_named(), pytest.raises(InputError, match="--samples-only compares on the sample only.* --draw"):
        ProbeOptions(samples_only=True, draw=lambda *_: {})


def ordered(random: np.random.Generator, rows: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    low = random.uniform(0, 1, (rows, sizes["time"])).astype(np.float32)
    return {"low": low, "high": low + np.float32(0.5)}


BOUNDS = ["low: float32[batch, time]", "high: float32[batch, time]"]


@pytest.mark.slow
def test_a_callable_draws_the_probes(tmp_path: Path) -> None:
    module = Call(lambda low, high: (high - low).sqrt())  # of rows that Parity draws half have no answer
    found = exported(module, BOUNDS, tmp_path, dimensions=SHORT, draw=ordered)
    assert found.gate_result.oracle is not None
    assert found.gate_result.oracle.probes.counts() == {"drawn": 256}
    assert any(note.startswith("ordered drew the rows") for note in found.gate_result.notes)


def up_to_nine(random: np.random.Generator, rows: int) -> np.ndarray:
    return random.uniform(0, 9, rows).astype(np.float32)


@pytest.mark.slow
def test_rows_that_a_module_fails_on_are_the_callables(tmp_path: Path) -> None:
    module = Call(lambda x: nn.functional.one_hot(x.long(), 3).float())
    with pytest.raises(InputError, match=r"fails on rows that draw gives: Class values .*; draw others"):
        exported(module, ["x: float32[batch]"], tmp_path, draw=lambda random, rows, _: {"x": up_to_nine(random, rows)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (
            lambda random, rows, sizes: {"x": np.zeros((rows, 4), np.float32)},
            r"32\[256, 4\] as x; .*32\[256, 3\]",
        ),
        (lambda random, rows, sizes: {"x": np.zeros((rows, 3))}, "float64.* must give float32"),
        (lambda random, rows, sizes: {"y": np.zeros((rows, 3), np.float32)}, "gives y; it must return .*for x"),
        (lambda random, rows, sizes: {"x": np.full((rows, 3), np.nan, np.float32)}, "not finite"),
        (
            lambda random, rows, sizes: {"x": np.full((rows, 3), 2, np.float32)},
            r"x\[0, 0\] is 2.0",
        ),
        (lambda random, rows, sizes: 1 / 0, "failed at 256 rows .*division by zero"),
        (lambda random, rows, sizes: {"x": sizes["time"]}, "KeyError: 'time'"),
        (lambda random, rows, sizes: {"x": np.zeros((rows, 3), np.float32)}, "the same row 256 times"),
        (lambda random, rows, sizes: None, "gives a NoneType"),
    ],
)
def test_a_callable_that_draws_something_else_is_refused_in_one_line(draw, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        exported(nn.Flatten(), ["x: float32[batch, 3] in 0..1"], tmp_path, draw=draw)
    assert "\n" not in str(caught.value)


def test_samples_without_rows_are_said_so() -> None:
    with pytest.raises(InputError, match="sample holds no rows; leave it out"):
        source_from_module(nn.Linear(4, 3), ["x: float32[batch, 4]"], OutputSpec(), "m", {"x": np.zeros((0, 4), "f")})


class Scaled(nn.Module):
    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return x * scale


@pytest.mark.slow
def test_a_number_without_axes_is_an_input_as_any_other(tmp_path: Path) -> None:
    inputs = ["x: float32[batch, 4]", "scale: float32[]"]
    source = source_from_module(Scaled().eval(), inputs, OutputSpec(), "m")
    export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    verify(tmp_path / "p")
    x = np.ones((2, 4), np.float32)
    outputs = Predictor(tmp_path / "p").run({"x": x, "scale": np.float32(3)})
    assert [array.tolist() for array in outputs.values()] == [(3 * x).tolist()]
