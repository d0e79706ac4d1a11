"""The activations that have a rule."""

import numpy as np

from tests.proof.fuzzing.builder import Block, Builder, either


def _function(name: str, **attributes: object) -> Block:
    return lambda b: b.go_on(b.node(name, b.current, **attributes))


def silu(b: Builder) -> None:
    b.go_on(b.node("Mul", *either(b, b.current, b.node("Sigmoid", b.current))))


def torch_softplus(b: Builder) -> None:
    big = b.node("Greater", b.node("Mul", b.current, np.float32(1)), np.float32(20))
    b.go_on(b.node("Where", big, b.current, b.node("Softplus", b.current)))


def clip(b: Builder) -> None:
    low = np.float32(b.random.uniform(-2, 0))
    b.go_on(b.node("Clip", b.current, low, low + np.float32(b.random.uniform(0, 3))))


def prelu(b: Builder) -> None:
    b.go_on(b.node("PRelu", b.current, b.weights(*b.shape[-1:])))


ACTIVATIONS: dict[str, Block] = {
    "Relu": _function("Relu"), "LeakyRelu": _function("LeakyRelu", alpha=0.2), "PRelu": prelu, "Clip": clip,
    "Tanh": _function("Tanh"), "Sigmoid": _function("Sigmoid"), "Erf": _function("Erf"), "Gelu": _function("Gelu"),
    "GeluTanh": _function("Gelu", approximate="tanh"), "Silu": silu, "Softplus": _function("Softplus"),
    "torch Softplus": torch_softplus, "Elu": _function("Elu"), "Celu": _function("Celu"), "Selu": _function("Selu"),
    "Mish": _function("Mish"), "HardSwish": _function("HardSwish"), "Abs": _function("Abs"),
    "HardSigmoid": _function("HardSigmoid", alpha=1 / 6, beta=0.5),
}  # fmt: skip


def activation(b: Builder) -> None:
    name = str(b.random.choice(list(ACTIVATIONS)))
    b.used.append(name)
    ACTIVATIONS[name](b)
