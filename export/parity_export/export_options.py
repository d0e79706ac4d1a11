"""How a package is exported, beside what is exported."""

from dataclasses import dataclass
from typing import Literal, get_args

import onnx

from parity_runtime import InputError
from parity_runtime.arguments import argument, check_choice

OLDEST_OPSET = 18  # torch's own decompositions are written for 18 and converted from there
OLDEST_IR = 8

ReportDetail = Literal["summary", "full"]
Effort = Literal["quick", "normal", "thorough"]
Bounds = Literal["fast", "tight"]
"""How a graph's error bounds are made: forward alone, or by a pass backwards from the answers as well."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to export and validate a package. The defaults suit most models.

    >>> from parity_export import ExportOptions
    >>> ExportOptions(rtol=1e-3, atol=1e-5, certified=True).tolerance
    (0.001, 1e-05)

    Attributes:
        replace: replace an existing package.
        opset: the ONNX opset; None for torch's own choice.
        ir_version: the ONNX IR version; None for torch's own choice.
        rtol: a relative tolerance to use instead of torch.testing's default. Give ``rtol`` and ``atol``, or neither.
        atol: an absolute tolerance, in the output's unit, to use instead of torch.testing's default.
        plots: draw the model card's plots, if matplotlib is installed.
        certified: add a graph that computes a proven error bound beside each prediction. True and ``fast`` add fast
            bounds. ``tight`` bounds are smaller, and take the time of some predictions for each class.
        report: what parity.json holds: ``summary`` is a row for each backend and output; ``full`` adds every batch
            size, every size of the dynamic dimensions, and every group of probes, which are the inputs of the
            comparison.
        effort: how much time and memory the comparison of a large network may take: ``quick`` is for a first look,
            ``normal`` takes seconds, ``thorough`` minutes. A small network is compared in full, except with ``quick``.
        external_weights: keep tensors of 4096 bytes and more in weights.bin, which the graphs share. A graph that would
            be larger than 2 GiB, the limit of one file, always does.
    """

    replace: bool = False
    opset: int | None = None
    ir_version: int | None = None
    rtol: float | None = None
    atol: float | None = None
    plots: bool = True
    certified: bool | Bounds = False
    report: ReportDetail = "summary"
    effort: Effort = "normal"
    external_weights: bool = False

    def __post_init__(self) -> None:
        newest = onnx.defs.onnx_opset_version()
        if self.opset is not None and not OLDEST_OPSET <= self.opset <= newest:
            raise InputError(f"opset {self.opset} is not between {OLDEST_OPSET} and {newest}")
        if self.ir_version is not None and not OLDEST_IR <= self.ir_version <= onnx.IR_VERSION:
            raise InputError(f"IR version {self.ir_version} is not between {OLDEST_IR} and {onnx.IR_VERSION}")
        if (self.rtol is None) != (self.atol is None):
            raise InputError(f"give {argument('rtol')} and {argument('atol')} together: one alone has no effect")
        if not all(0 <= value < float("inf") for value in (self.rtol or 0.0, self.atol or 0.0)):
            raise InputError("rtol and atol must be finite and at least 0")
        if not isinstance(self.certified, bool):
            check_choice("certified", self.certified, get_args(Bounds))
        check_choice("report", self.report, get_args(ReportDetail))
        check_choice("effort", self.effort, get_args(Effort))

    @property
    def bounds(self) -> Bounds | None:
        """The kind of error bounds, ``fast`` or ``tight``; None without a certified graph."""
        if isinstance(self.certified, bool):
            return "fast" if self.certified else None
        return self.certified

    @property
    def tolerance(self) -> tuple[float, float] | None:
        """The tolerance that was set by hand, as ``(rtol, atol)``; None without one."""
        return None if self.rtol is None or self.atol is None else (self.rtol, self.atol)
