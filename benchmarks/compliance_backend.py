"""Answers a graph of one input with a backend of its own interpreter, by pipe, for `compliance.py`.

    PYTHON benchmarks/compliance_backend.py BACKEND GRAPH

BACKEND is ``onnxruntime``, ``openvino``, ``reference`` (ONNX's evaluator) or ``xla`` (jax.jit on the CPU, which knows
functions by name). The first line of its output is JSON with the backend's version. Then it reads a count as 8 bytes
and as many float32, and writes a count and its answers, until its input ends.
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

Answer = Callable[[Any], Any]


def onnxruntime(path: str) -> tuple[str, Answer]:
    """Return the version and what answers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda x: session.run(None, {"x": x})[0]


def openvino(path: str) -> tuple[str, Answer]:
    """Return the version and what answers, in float32 also where the CPU has bfloat16."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return version("openvino"), lambda x: compiled({"x": x})[0]


def reference(path: str) -> tuple[str, Answer]:
    """Return the version and what answers."""
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(path)
    return version("onnx"), lambda x: session.run(None, {"x": x})[0]


def xla(path: str) -> tuple[str, Answer]:
    """Return the version and what answers: the function, or the product or convolution of the graph's weights."""
    import jax
    import onnx
    from jax import lax, nn
    from jax import numpy as jnp

    graph = onnx.load(path).graph
    name = graph.output[0].name
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    functions: dict[str, Answer] = {
        "Celu": nn.celu, "Elu": nn.elu, "Erf": lax.erf, "Exp": jnp.exp,
        "Gelu": lambda x: nn.gelu(x, approximate=False), "GeluTanh": lambda x: nn.gelu(x, approximate=True),
        "HardSigmoid": nn.hard_sigmoid, "HardSwish": nn.hard_swish, "Log": jnp.log, "Mish": nn.mish, "Selu": nn.selu,
        "Sigmoid": nn.sigmoid, "Silu": nn.silu, "Softplus": nn.softplus, "Sqrt": jnp.sqrt, "Tanh": jnp.tanh,
        "MatMul": lambda x: x.reshape(weights["rows"]) @ weights["w"],
        "Conv": lambda x: lax.conv(x.reshape(weights["rows"]), weights["w"], (1, 1), "SAME"),
    }  # fmt: skip
    jitted = jax.jit(functions[name])
    return version("jax"), lambda x: np.asarray(jitted(x))


BACKENDS = {"onnxruntime": onnxruntime, "openvino": openvino, "reference": reference, "xla": xla}


def main() -> None:
    """Answer until the input ends."""
    found, answer = BACKENDS[sys.argv[1]](sys.argv[2])
    pipe_in, pipe_out = sys.stdin.buffer, sys.stdout.buffer
    pipe_out.write(json.dumps({"version": found}).encode() + b"\n")
    pipe_out.flush()
    while header := pipe_in.read(8):
        count = int.from_bytes(header, "little")
        result = np.ascontiguousarray(answer(np.frombuffer(pipe_in.read(4 * count), np.float32)), np.float32).ravel()
        pipe_out.write(result.size.to_bytes(8, "little") + result.tobytes())
        pipe_out.flush()


if __name__ == "__main__":
    main()
