"""What a certified graph costs and how tight it is.

The cost is the time of a batch of 1024 rows against the plain graph's, one thread, in turn: the median of the ratios of
neighbouring measurements, with its quartiles. Tightness is of networks trained on scikit-learn's digits and breast
cancer, over the rows that they were not trained on: without a norm of the error, with it (fast bounds), and with a
backward pass (tight ones). Precision is of the same networks in tf32, float16 and bfloat16. Prints one JSON object.
"""

import copy
import statistics
from contextlib import nullcontext
from typing import Any, get_args

import numpy as np
import torch
from certified_networks import NETWORKS, trained
from common import SIZES, ScoringJob, print_parts, ratio, timed
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from parity_export import OutputSpec, source_from_module
from parity_export.error_bounds import CannotCertifyError, propagate_error_bounds
from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.error_bounds.low_precision.low_precision_model import LowerPrecision, LowPrecisionModel
from parity_export.error_bounds.norms import linear_norm
from parity_export.export_options import Bounds, ExportOptions
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL, LOGITS
from parity_runtime.inference.session import create_session
from parity_training import MLP, XORClassifier

_ROWS, _ROUNDS, _CALLS = 1024, 101, 20
_FEWER = 2
"""Calls of a tight graph, which takes some ten times as long."""

_MEANING = OutputSpec("binary", "logits", ("no", "yes"))
_DIGITS = OutputSpec("multiclass", "logits", tuple("0123456789"))


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    print_parts(__doc__, {"cost": cost, "growth": growth, "tightness": tightness, "precision": precision})


def cost() -> dict[str, Any]:
    """Return the time of a certified answer over that of a plain one."""
    deep = {"num_inputs": 30, "num_outputs": 1, "hidden": (128, 128, 128)}
    residual, chain = "digits, 3 residual blocks of 64", "digits, 64-64x8-10 ReLU"
    wide = "digits, 64-512-512-10 ReLU"
    return {
        "certified over plain, XOR, 2-4-1 tanh": _cost(XORClassifier(), 2) | {"target": "at most 3"},
        "certified over plain, 30-128-128-128-1 tanh": _cost(MLP(**deep, activation="Tanh"), 30)
        | {"target": "at most 3.5"},
        "certified over plain, 30-128-128-128-1 ReLU": _cost(MLP(**deep), 30) | {"target": "at most 3.5"},
        f"certified over plain, {chain}": _cost(NETWORKS[chain](), 64, _DIGITS) | {"target": "at most 3.5"},
        f"certified over plain, {residual}": _cost(NETWORKS[residual](), 64, _DIGITS) | {"target": "at most 3.5"},
        "tight over plain, 30-128-128-128-1 tanh, one answer": _cost(MLP(**deep, activation="Tanh"), 30, bounds="tight")
        | {"target": "at most 10"},
        f"tight over plain, {chain}, ten answers": _cost(NETWORKS[chain](), 64, _DIGITS, "tight")
        | {"target": "at most 34"},
        f"tight over plain, {residual}, ten answers": _cost(NETWORKS[residual](), 64, _DIGITS, "tight")
        | {"target": "at most 34"},
        f"tight over plain, {wide}, ten answers": _cost(NETWORKS[wide](), 64, _DIGITS, "tight")
        | {"target": "at most 34"},
    }


def growth() -> dict[str, Any]:
    """Return the nanoseconds a row of plain and certified answers, by rows and by depth x width of the network."""
    found: dict[str, Any] = {}
    sessions = _sessions(XORClassifier(), 2)
    by_rows = {str(rows): _nanoseconds(sessions, rows, 2) for rows in (1, 10, 100, 1000, 10_000, 100_000)}
    by_size = {}
    for depth, width in SIZES:
        module = MLP(16, 1, hidden=(width,) * depth, activation="Tanh")
        by_size[f"{depth} x {width}"] = _nanoseconds(_sessions(module, 16), _ROWS, 16)
    for subject, table in (("rows, XOR", by_rows), (f"depth x width, {_ROWS} rows", by_size)):
        for index, name in enumerate(("plain", "certified")):
            found[f"ns a row by {subject}, {name}"] = {key: values[index] for key, values in table.items()}
    return found


def tightness() -> dict[str, Any]:
    """Return the median error bound, the share of labels that are certified, and the graph's size, by network."""
    found: dict[str, Any] = {}
    for name in NETWORKS:
        module, rows = trained(name)
        for kind, value in _tightness(module, rows).items():
            found.setdefault(kind, {})[name] = float(f"{value:.3g}")
    return found


def _tightness(module: nn.Module, rows: Any) -> dict[str, float]:
    outputs = int(module(torch.from_numpy(rows[:1])).shape[1])
    plain, contract = _plain(module, rows.shape[1], _DIGITS if outputs > 1 else _MEANING)
    found, needed = {}, linear_norm.NEEDED_LAYERS
    kinds: list[tuple[str, int, Bounds]] = [
        ("elements alone", 10**6, "fast"), ("fast", needed, "fast"), ("tight", needed, "tight"),
    ]  # fmt: skip
    for kind, layers, bounds in kinds:
        linear_norm.NEEDED_LAYERS = layers
        graph = propagate_error_bounds(OnnxGraph(plain), contract, bounds).data
        bound, certified = create_session(graph).run([ERROR_BOUND, CERTIFIED], {"features": rows})
        found |= {
            f"median error bound by network, {kind}": float(np.median(bound)),
            f"share of labels certified by network, {kind}": float(certified.mean()),
            f"bytes of the certified graph over the plain one's by network, {kind}": len(graph) / len(plain),
        }
    return found


def precision() -> dict[str, Any]:
    """Return which labels stay in a lower precision, by network: certified, and as torch computes them in it.

    In tf32 the factors of linear maps and convolutions are cut off, which a CPU does not do by itself.
    """
    found: dict[str, Any] = {}
    for name in NETWORKS:
        module, rows = trained(name)
        outputs = int(module(torch.from_numpy(rows[:1])).shape[1])
        plain, contract = _plain(module, rows.shape[1], _DIGITS if outputs > 1 else _MEANING)
        certified = CertifiedModel.of(contract, OnnxGraph(plain), bounds="tight")
        for lower in get_args(LowerPrecision):
            try:
                model = LowPrecisionModel.from_certified(certified, OnnxGraph(plain), contract, lower)
            except CannotCertifyError as error:
                found.setdefault("refused", {})[f"{name}, {lower}"] = str(error)
                continue
            for kind, value in _of_precision(model, module, rows).items():
                found.setdefault(f"{kind}, {lower}", {})[name] = float(f"{value:.3g}")
    return found


def _of_precision(model: LowPrecisionModel, module: nn.Module, rows: Any) -> dict[str, float]:
    found, name = model.on_rows()(rows), model.lower.name
    with torch.no_grad(), TruncatedFactors() if name == "tf32" else nullcontext():
        dtype = torch.float32 if name == "tf32" else getattr(torch, name)
        logits = copy.deepcopy(module).to(dtype)(torch.from_numpy(rows).to(dtype)).float().numpy()
    labels = logits.argmax(axis=1) if logits.shape[1] > 1 else (logits[:, 0] >= 0).astype(int)
    flipped, share = labels != found[LABEL], np.abs(logits - found[LOGITS]) / found[ERROR_BOUND]
    return {
        "share of labels certified": float(found[CERTIFIED].mean()),
        "labels flipped": int(flipped.sum()),
        "of them certified": int((flipped & found[CERTIFIED]).sum()),
        "median error bound": float(np.median(found[ERROR_BOUND])),
        "largest deviation over error bound": float(share.max()),
    }


class TruncatedFactors(TorchFunctionMode):
    """Linear maps, convolutions and products of factors that are cut off after 11 bits."""

    def __torch_function__(self, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch's."""
        if function in (functional.linear, functional.conv2d, torch.conv2d, torch.matmul, torch.bmm):
            cut = [(one.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32) for one in args[:2]]
            args = (*cut, *args[2:])
        return function(*args, **(kwargs or {}))


def _cost(module: nn.Module, columns: int, meaning: OutputSpec = _MEANING, bounds: Bounds = "fast") -> dict[str, Any]:
    rows, calls = _random(_ROWS, columns), _CALLS if bounds == "fast" else _FEWER
    jobs = [_asked(session, rows, calls) for session in _sessions(module, columns, meaning, bounds)]
    return ratio((jobs[1], jobs[0]), _ROUNDS if bounds == "fast" else _ROUNDS // 2)


def _nanoseconds(sessions: list[Any], count: int, columns: int) -> list[float]:
    rows, calls = _random(count, columns), max(1, _ROWS // count)
    jobs = [_asked(session, rows, calls) for session in sessions]
    times = [[timed(job) for job in jobs] for _ in range(_ROUNDS // 4)]
    return [round(1e9 * statistics.median(column) / calls / count, 1) for column in zip(*times, strict=True)]


def _sessions(module: nn.Module, columns: int, meaning: OutputSpec = _MEANING, bounds: Bounds = "fast") -> list[Any]:
    plain, contract = _plain(module, columns, meaning)
    return [create_session(plain), create_session(propagate_error_bounds(OnnxGraph(plain), contract, bounds).data)]


def _plain(module: nn.Module, columns: int, meaning: OutputSpec) -> tuple[bytes, ModelContract]:
    specs = [TensorSpec("features", "float32", ("batch", columns))]
    source = source_from_module(module.eval(), specs, meaning, "model")
    return attach_head(trace(source, ExportOptions())).data, source.contract


def _asked(session: Any, rows: Any, calls: int) -> ScoringJob:
    def ask() -> None:
        for _ in range(calls):
            session.run(None, {"features": rows})

    return ask


def _random(count: int, columns: int) -> Any:
    return np.random.default_rng(0).standard_normal((count, columns)).astype(np.float32)


if __name__ == "__main__":
    main()
