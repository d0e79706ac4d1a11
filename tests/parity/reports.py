"""Public reports: a PyTorch model answered otherwise as ONNX, or could not be exported. Each is tried here.

parity.md has the same list as a table. The modules and graphs are our own; a report gives its kind and number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tests.parity import report_modules as modules
from tests.parity.report_modules import Call

ANSWERS = "agrees with torch"
EXCUSED = "agrees with torch, but at the jump itself"
VALUES = r"onnxruntime [^:]*: \d+ of \d+ values of \w+ \(\w+ probes\) differ"
CANNOT = "torch cannot export the module: "
SMALLEST_BELOW_ZERO = -1e-45


@dataclass(frozen=True)
class Report:
    """One public report and what becomes of it.

    Attributes:
        kind: of module or graph, in a few words.
        number: of the report, ``owner/repository#number``.
        module: makes the module.
        inputs: its inputs as specifications.
        outcome: what the table says; `ANSWERS`, or why it is refused.
        refusal: what the refusal says, a regular expression; empty where it must answer.
        graph: another exporter's graph in ONNX's text form; empty where torch exports the module.
        witness: one call on which the graph really answers otherwise than the module, an input each: of what is refused
            for its values, or excused because the call lies at a jump of the module.
        gap: why Parity decides otherwise than it should; empty where it decides rightly.
    """

    kind: str
    number: str
    module: Callable[[], nn.Module]
    inputs: tuple[str, ...]
    outcome: str = ANSWERS
    refusal: str = ""
    graph: str = ""
    witness: tuple[Any, ...] = ()
    gap: str = ""

    @property
    def row(self) -> tuple[str, str, str]:
        """The report's row in the table of docs/explanation/parity.md."""
        return self.kind, self.number, f"known gap: {self.gap}" if self.gap else self.outcome


VECTOR = ("x: float32[batch, 4]",)
WHOLE = ("x: int64[batch, 4]",)
IMAGE = ("x: float32[batch, 1, 4, 4]",)

ACTIVATIONS = [
    Report(
        "LogSigmoid, exported as Log(Sigmoid(x))", "pytorch/pytorch#14830", nn.LogSigmoid, VECTOR,
        "refused: -inf where torch gives -200", VALUES, witness=([[-200.0, 0.0, 1.0, 2.0]],),
    ),
    Report("Sigmoid far below zero", "pytorch/pytorch#147508", nn.Sigmoid, VECTOR,
           "agrees with torch within the absolute tolerance; the tail has no relative accuracy"),
    Report(
        "log1p, exported as Log(1 + x)", "pytorch/pytorch#24808",
        lambda: Call(lambda x: torch.log1p(x.abs() * 1e-6) * 1e6), VECTOR,
        "refused: numbers near zero lose their digits", VALUES, witness=([[1e-2, 0.3, 0.5, 0.7]],),
    ),
    Report("Softplus with beta", "pytorch/pytorch#64811", lambda: nn.Softplus(beta=13, threshold=7), VECTOR),
    Report(
        "Softplus with a threshold, as ONNX's Softplus without one", "onnx/onnx#5226",
        lambda: nn.Softplus(threshold=2), VECTOR, "refused: other values above the threshold", VALUES,
        "(float[batch, 4] x) => (float[batch, 4] y) { y = Softplus(x) }", witness=([[2.1, 0.0, 0.0, 0.0]],),
    ),
    Report("ELU with alpha True", "pytorch/pytorch#80783", lambda: nn.ELU(True), VECTOR),
]  # fmt: skip

ARITHMETIC = [
    Report("floor division of negative integers", "pytorch/pytorch#78442", lambda: Call(lambda x: x // 3), WHOLE),
    Report(
        "floor division of integers, as ONNX's Div", "onnx/onnx#7570", lambda: Call(lambda x: x // 3), WHOLE,
        "refused: Div rounds towards zero", VALUES,
        "(int64[batch, 4] x) => (int64[batch, 4] y) <int64 three = {3}> { y = Div(x, three) }",
        witness=([[-7, -1, 0, 7]],),
    ),
    Report(
        "floor division by a fraction, exported as Floor(x / y)", "microsoft/onnxscript#989",
        lambda: Call(lambda x: torch.floor_divide(x, 0.1)), VECTOR,
        f"{EXCUSED}: 1 // 0.1 is 9 in torch and 10 in the graph", witness=([[1.0, 0.0, 0.0, 0.0]],),
    ),
    Report(
        "right shift of negative integers, as Div by a power of 2", "pytorch/pytorch#191014",
        lambda: Call(lambda x: x >> 2), WHOLE, "refused: Div rounds towards zero", VALUES,
        "(int64[batch, 4] x) => (int64[batch, 4] y) <int64 four = {4}> { y = Div(x, four) }",
        witness=([[-7, -1, 0, 7]],),
    ),
    Report(
        "remainder of negative numbers", "pytorch/pytorch#64230", lambda: Call(lambda x: torch.remainder(x, 2.5)),
        VECTOR, f"{EXCUSED}: 0 for -1e-45, where torch gives 2.5",
        witness=([[SMALLEST_BELOW_ZERO, 1.0, 1.0, 1.0]],),
    ),
    Report("fmod of integers by a fraction", "pytorch/pytorch#48739", lambda: Call(lambda x: torch.fmod(x, 2.5)),
           WHOLE),
    Report(
        "atan2 of two zeros", "pytorch/pytorch#162570", lambda: Call(torch.atan2),
        ("x: float32[batch, 2]", "y: float32[batch, 2]"), f"{EXCUSED}: 0 where torch gives -pi, at (-0, -0)",
        witness=([[-0.0, 1.0]], [[-0.0, 1.0]]),
    ),
    Report("cumsum of int32, which gives int64", "pytorch/pytorch#77842", lambda: Call(lambda x: x.cumsum(1)),
           ("x: int32[batch, 4]",)),
    Report("cumprod", "pytorch/pytorch#102948", lambda: Call(lambda x: x.cumprod(1)), VECTOR,
           "refused: torch does not export it", CANNOT + ".*prod"),
]  # fmt: skip

POOLING = [
    Report(
        "average pooling with ceil_mode and count_include_pad", "pytorch/pytorch#183528",
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE,
    ),
    Report(
        "average pooling with ceil_mode whose last window lies in the padding", "pytorch/pytorch#131272",
        lambda: nn.AvgPool2d(3, 3, 1, ceil_mode=True), ("x: float32[batch, 3, 2, 2]",),
    ),
    Report(
        "max pooling with ceil_mode and padding", "microsoft/onnxruntime#15446",
        lambda: nn.MaxPool3d(3, padding=1, ceil_mode=True), ("x: float32[batch, 2, 3, 6, 5]",),
    ),
    Report(
        "Pad before AveragePool, fused", "microsoft/onnxruntime#22177", lambda: Call(modules.average_pool_of_padded),
        IMAGE, graph="""(float[batch, 1, 4, 4] x) => (float[batch, 1, 3, 3] y)
        <int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}>
        { padded = Pad(x, pads) y = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(padded) }""",
    ),
    Report(
        "average pooling padded at the end alone", "microsoft/onnxruntime#27375",
        lambda: Call(modules.average_pool_of_end_padded), ("x: float32[batch, 1, 4, 3]",),
        graph="""(float[batch, 1, 4, 3] x) => (float[batch, 1, 4, 3] y)
        { y = AveragePool<kernel_shape = [2, 2], pads = [0, 0, 1, 1], count_include_pad = 1>(x) }""",
    ),
    Report("adaptive average pooling to a size that does not divide", "pytorch/pytorch#42653",
           lambda: nn.AdaptiveAvgPool2d(3), ("x: float32[batch, 2, 7, 5]",)),
    Report("adaptive max pooling", "pytorch/pytorch#75383", lambda: nn.AdaptiveMaxPool2d(3),
           ("x: float32[batch, 2, 7, 5]",), "refused: torch does not export it", CANNOT + ".*adaptive_max_pool2d"),
]  # fmt: skip

IMAGES = [
    Report("ConvTranspose with output_padding", "pytorch/pytorch#3826",
           lambda: nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), ("x: float32[batch, 2, 4, 4]",)),
    Report("circular padding", "pytorch/pytorch#86690",
           lambda: Call(lambda x: functional.pad(x, (1, 1, 2, 2), "circular")), IMAGE),
    Report("bicubic interpolation to one pixel", "microsoft/onnxruntime#11496",
           lambda: Call(lambda x: functional.interpolate(x, size=[1, 1], mode="bicubic")), IMAGE),
    Report(
        "nearest interpolation from 26 to 64, as Resize with half_pixel", "microsoft/onnxruntime#28310",
        lambda: Call(lambda x: functional.interpolate(x, size=64, mode="nearest")), ("x: float32[batch, 1, 26]",),
        "refused: other pixels", VALUES,
        """(float[batch, 1, 26] x) => (float[batch, 1, 64] y) <float[3] scales = {1.0, 1.0, 2.4615386}>
        { y = Resize<mode = "nearest", coordinate_transformation_mode = "half_pixel",
                     nearest_mode = "round_prefer_ceil">(x, , scales) }""",
        witness=([[[float(pixel) for pixel in range(26)]]],),
    ),
    Report(
        "bilinear interpolation by 0.6 with align_corners", "onnx/onnx#2462",
        lambda: Call(lambda x: functional.interpolate(x, scale_factor=0.6, mode="bilinear", align_corners=True)),
        ("x: float32[batch, 1, 4, 8]",),
    ),
    Report(
        "bicubic grid_sample with border padding", "microsoft/onnxscript#562",
        lambda: Call(lambda x, grid: functional.grid_sample(
            x, grid.tanh() * 1.2, mode="bicubic", padding_mode="border", align_corners=False)),
        ("x: float32[batch, 1, 5, 4]", "grid: float32[batch, 3, 3, 2]"),
    ),
]  # fmt: skip

NORMALIZATION = [
    Report("InstanceNorm with running statistics", "pytorch/pytorch#53887", modules.running_instance_norm,
           ("x: float32[batch, 2, 3, 4]",)),
    Report(
        "InstanceNorm with running statistics, as InstanceNormalization", "pytorch/pytorch#72057",
        modules.running_instance_norm, ("x: float32[batch, 2, 1, 2]",),
        "refused: it normalizes by the row's own statistics", VALUES,
        """(float[batch, 2, 1, 2] x) => (float[batch, 2, 1, 2] y)
        <float[2] scale = {1.0, 1.0}, float[2] bias = {0.0, 0.0}> { y = InstanceNormalization(x, scale, bias) }""",
        witness=([[[[3.0, 4.0]], [[5.0, 7.0]]]],),
    ),
    Report(
        "BatchNorm without running statistics, one row", "pytorch/pytorch#75252",
        lambda: nn.BatchNorm1d(3, track_running_stats=False), ("x: float32[batch, 3]",),
        "refused: torch itself takes no single row", "more than 1 value per channel",
    ),
    Report(
        "BatchNormalization left in training mode", "microsoft/onnxruntime#26584", lambda: nn.BatchNorm1d(2),
        ("x: float32[batch, 2]",), "refused: it normalizes by the batch's own statistics", VALUES,
        """(float[batch, 2] x) => (float[batch, 2] y)
        <float[2] one = {1.0, 1.0}, float[2] zero = {0.0, 0.0}>
        { y, mean, var = BatchNormalization<training_mode = 1>(x, one, zero, zero, one) }""",
        witness=([[1.0, 2.0], [3.0, 4.0]],),
    ),
    Report("BatchNorm folded into a convolution", "pytorch/pytorch#166797", modules.folded,
           ("x: float32[batch, 2, 5, 5]",)),
    Report("LayerNorm of equal numbers", "microsoft/onnxruntime#21935",
           lambda: Call(lambda x: functional.layer_norm(x * 0 + 1234, (8,))), ("x: float32[batch, 8]",)),
    Report(
        "LayerNorm with another epsilon than the module's", "microsoft/onnxruntime#3768",
        lambda: nn.LayerNorm(64, eps=1e-6), ("x: float32[batch, 64]",),
        "refused: other values for rows of small deviation", VALUES,
        """(float[batch, 64] x) => (float[batch, 64] y) <int64[1] width = {64}, float one = {1.0}>
        { scale = Expand(one, width) y = LayerNormalization<epsilon = 1e-12>(x, scale) }""",
        witness=([[1e-3, -1e-3] * 32],),
    ),
    Report(
        "written-out normalization with a scale along another axis, fused", "onnx/onnx#8203",
        lambda: Call(modules.root_mean_square), ("x: float32[batch, 2, 1]", "scale: float32[2, 1]"),
        graph="""(float[batch, 2, 1] x, float[2, 1] scale) => (float[batch, 2, 1] y)
        <int64[1] axis = {-1}, float two = {2.0}, float epsilon = {1e-5}>
        { square = Pow(x, two) mean = ReduceMean<keepdims = 1>(square, axis) sum = Add(mean, epsilon)
          root = Sqrt(sum) normal = Div(x, root) y = Mul(normal, scale) }""",
    ),
    Report("weight_norm", "microsoft/onnxruntime#3143", modules.weight_norm, ("x: float32[batch, 2, 5]",)),
    Report(
        "weight_norm of a vector", "pytorch/pytorch#191749", modules.Scale, ("x: float32[batch, 3]",),
        "refused: the norm of all is taken in place of each one's", VALUES, witness=([[1.0, 1.0, 1.0]],),
    ),
]  # fmt: skip

SEQUENCES = [
    Report(
        "two LSTMs, one over the reversed sequence, of dynamic length", "pytorch/pytorch#191855", modules.BothWays,
        ("x: float32[batch, time, 4]",),
    ),
    Report("pack_padded_sequence", "pytorch/pytorch#48460", modules.Packed,
           ("x: float32[batch, 5, 3]", "lengths: int64[batch]"), "refused: torch does not export it", CANNOT),
    Report("TransformerEncoder of dynamic length", "pytorch/pytorch#110347", modules.Encoder,
           ("tokens: int64[batch, time]",)),
    Report(
        "attention mask with an empty row", "microsoft/onnxscript#2479",
        lambda: Call(lambda q, mask: functional.scaled_dot_product_attention(q, q, q, attn_mask=mask)),
        ("q: float32[batch, 1, 2, 8]", "mask: bool[batch, 1, 2, 2] in 0..1"),
        "refused: the mean of all values where torch gives 0", VALUES,
        witness=([[[[1.0] * 8, [2.0] * 8]]], [[[[True, True], [False, False]]]]),
    ),
    Report(
        "a branch on the length of the sequence", "pytorch/pytorch#58368", lambda: Call(modules.summed_by_length),
        ("x: float32[batch, time, 3]",), "agrees with torch; the package takes the lengths of one branch alone",
    ),
    Report(
        "padding to an even length", "pytorch/pytorch#60179", lambda: Call(modules.in_pairs),
        ("x: float32[batch, time, 3]",),
    ),
    Report(
        "torch.cond", "pytorch/pytorch#145300", lambda: Call(modules.doubled_if_positive), ("x: float32[3, 2]",),
        gap="not decided: torch does not run a condition while its operators are watched, as the reference does",
    ),
]  # fmt: skip

INDICES = [
    Report(
        "index_put that accumulates at repeated indices", "pytorch/pytorch#61034",
        lambda: Call(lambda i, x, y: x.index_put((i % 5,), y, accumulate=True)),
        ("i: int64[5]", "x: float32[5, batch]", "y: float32[5, batch]"),
    ),
    Report("index_add at repeated indices", "pytorch/pytorch#111159",
           lambda: Call(lambda x: x.new_zeros(3, x.shape[1]).index_add(0, torch.tensor([0, 2, 2, 0, 1]), x)),
           ("x: float32[5, batch]",)),
    Report(
        "scatter_add at repeated indices, as ScatterElements", "pytorch/pytorch#32960",
        lambda: Call(lambda i, x: torch.zeros_like(x).scatter_add(1, i, x)),
        ("i: int64[batch, 7]", "x: float32[batch, 7]"), "refused: the last one wins in place of the sum", VALUES,
        """(int64[batch, 7] i, float[batch, 7] x) => (float[batch, 7] y)
        { shape = Shape(x) zeros = ConstantOfShape(shape) y = ScatterElements<axis = 1>(zeros, i, x) }""",
        witness=([[0, 0, 1, 1, 2, 3, 4]], [[1.0] * 7]),
    ),
    Report(
        "topk of equal numbers", "microsoft/onnxruntime#19759",
        lambda: Call(lambda x: torch.topk(x.round(), 2, dim=1)[1]), ("x: float32[batch, 6]",),
        f"{EXCUSED}: equal numbers have no order in torch, and the lowest index comes first in ONNX",
        witness=([[2.0, 2.0, 2.0, 2.0, 2.0, 2.0]],),
    ),
    Report(
        "masked_scatter", "pytorch/pytorch#186146",
        lambda: Call(lambda x, mask, y: x.masked_scatter(mask.unsqueeze(-1), y)),
        ("x: float32[batch, 4, 3]", "mask: bool[batch, 4]", "y: float32[batch, 4, 3]"),
    ),
    Report(
        "masked_select, whose length the values decide", "pytorch/pytorch#26034", lambda: Call(lambda x: x[x > 0]),
        VECTOR, "refused: the values decide how many numbers it gives", "values decide|depends on the values",
    ),
    Report(
        "EmbeddingBag with padding_idx", "pytorch/pytorch#128930",
        lambda: nn.EmbeddingBag(7, 3, mode="sum", padding_idx=0), WHOLE,
    ),
]  # fmt: skip

REPORTS = [*ACTIVATIONS, *ARITHMETIC, *POOLING, *IMAGES, *NORMALIZATION, *SEQUENCES, *INDICES]
