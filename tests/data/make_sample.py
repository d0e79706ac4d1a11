"""Makes what ``parity doctor`` asks onnxruntime, with onnx alone: ``python tests/data/make_sample.py``.

The sample is the package xor beside this file, without what is only for people; the graphs are two operators.
"""

import shutil
import sys
from pathlib import Path

import onnx
from onnx import parser

from parity_runtime.doctor.kernels import GRAPHS, LENGTH
from parity_runtime.doctor.probe import SAMPLE
from parity_runtime.package.manifest import write_manifest

XOR = Path(__file__).parent / "xor"
KEPT = ("conformance.json", "contract.json", "model.onnx")
TEXTS = {
    "int8_products.onnx": f"""<ir_version: 8, opset_import: ["": 15]>
products (uint8[1, {LENGTH}] x, int8[{LENGTH}, {LENGTH}] w) => (int32[1, {LENGTH}] y) {{ y = MatMulInteger (x, w) }}""",
    "normalization.onnx": f"""<ir_version: 8, opset_import: ["": 17]>
normalized (float[rows, {LENGTH}] x) => (float[rows, {LENGTH}] y)
<float[{LENGTH}] scale = {{{", ".join(["1"] * LENGTH)}}}> {{ y = LayerNormalization (x, scale) }}""",
}


def make(sample: Path, graphs: Path) -> None:
    """Write both folders anew."""
    for folder in (sample, graphs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name in KEPT:
        shutil.copyfile(XOR / name, sample / name)
    write_manifest(sample)
    for name, text in TEXTS.items():
        model = parser.parse_model(text)
        onnx.checker.check_model(model)
        (graphs / name).write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:]) if sys.argv[1:] else (SAMPLE, GRAPHS))
