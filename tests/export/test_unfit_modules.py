"""Modules that cannot be exported as they are: each refusal says what was seen, and its way out works."""

import ast
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import InputError, ParityRefusedError, Predictor, TensorSpec

pytestmark = pytest.mark.slow

TABLE = "x: float32[batch, 4]"
CALLS: list[int] = []


class Changing(nn.Linear):
    """Changes something of its own, or of the world, in every call; ``used`` in its answer or not."""

    def __init__(self, what: str, *, used: bool = True) -> None:
        super().__init__(4, 3)
        self.what, self.used, self.count = what, used, 0
        self.last = torch.zeros(())
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.what == "parameter":
            with torch.no_grad():
                self.bias.add_(1e-3)
        changed = {"buffer": self._buffer, "attribute": self._attribute, "tensor": self._tensor, "world": self._world,
                   "noise": torch.rand}.get(self.what, lambda _: 0.0)(())  # fmt: skip
        y = super().forward(x)
        return y + changed if self.used else y

    def _buffer(self, _: object) -> Tensor:
        self.calls += 1
        return self.calls

    def _attribute(self, _: object) -> float:
        self.count += 1
        return float(self.count)

    def _tensor(self, _: object) -> Tensor:
        self.last = self.last + 1
        return self.last

    def _world(self, _: object) -> float:
        CALLS.append(1)
        return float(len(CALLS))


def exported(module: nn.Module, target: Path, spec: str = TABLE) -> Path:
    source = source_from_module(module.eval(), [TensorSpec.parse(spec)], OutputSpec(), "m")
    return export_package(source, target, ExportOptions(plots=False, effort="quick")).path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("buffer", "forward changes the buffer calls,.*self.training"),
        ("parameter", "forward changes the parameter bias,"),
        ("attribute", "forward changes the attribute count,"),
        ("tensor", "forward changes the attribute last,"),
        ("noise", "draws random numbers: is dropout or noise left on"),
        ("world", "no tensor and no number of it changes"),
    ],
)
@pytest.mark.filterwarnings("ignore:The tensor attribute.* assigned during export:UserWarning")
def test_a_module_that_answers_differently_each_time_is_told_what_was_seen(
    what: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ParityRefusedError, match=f"same rows each time; .*{words}") as caught:
        exported(Changing(what), tmp_path / "p")
    assert what == "noise" or "dropout" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_counts_its_calls_and_answers_alike_is_exported(tmp_path: Path) -> None:
    module = Changing("buffer", used=False)
    x = torch.randn(5, 4)
    found = Predictor(exported(module, tmp_path / "p")).run({"x": x.numpy()})["output"]
    assert abs(found - module(x).detach().numpy()).max() < 1e-5


def test_a_module_that_takes_no_single_row_is_refused_and_exported_with_a_fixed_batch(tmp_path: Path) -> None:
    module = nn.BatchNorm1d(4, track_running_stats=False)
    with pytest.raises(InputError, match="torch takes no batch of one row here.*more than 1 value") as caught:
        exported(module, tmp_path / "p")
    assert "\n" not in str(caught.value)
    (way_out,) = ast.literal_eval(str(caught.value).rpartition("inputs=")[2])
    x = torch.randn(2, 4)
    found = Predictor(exported(module, tmp_path / "p", way_out)).run({"x": x.numpy()})["output"]
    assert abs(found - module(x).detach().numpy()).max() < 1e-5
