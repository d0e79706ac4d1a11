"""How exactly torch and onnxruntime compute the elementary functions on a CUDA device, over every float32.

    python benchmarks/elementary_cuda.py [--stride N] [FUNCTION ...]

prints one line of JSON a function and backend, as `elementary.py` does for the CPU: ``beta`` is what the table's alpha
leaves, ``betas`` what each of `elementary.ALPHAS` does, and ``as_cpu`` the share of answers that have the CPU's bits (1
where onnxruntime runs the function on the CPU). The exact values are torch's in float64, on the device; tables on the
CPU and on the device differ by a few of its units. All functions take two minutes on an H200.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
import torch
from elementary import ALPHAS, LARGEST
from torch import Tensor

from parity_export.error_bounds.elementary_functions import accuracy, functions_graph
from parity_export.error_bounds.registry import ELEMENTARY
from parity_runtime.inference.session import Optimization, create_session

_CHUNK = 2**26  # values asked at once
_PART = 2**14  # neighbouring float32 that share one figure, the smallest |f| among them
_SAMPLE = 2**20  # values whose bits are compared with the CPU's

Function = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("functions", nargs="*", default=list(ELEMENTARY))
    parser.add_argument("--stride", type=int, default=1)
    options = parser.parse_args()
    for name in options.functions:
        for row in measure(name, options.stride):
            print(json.dumps(row), flush=True)


def measure(name: str, stride: int) -> Iterator[dict[str, Any]]:
    """Yield what bounds a function's error on each backend."""
    backends: dict[str, Function] = {f"torch {torch.__version__}, CUDA": ELEMENTARY[name].torch}
    for level in ("disabled", "all"):
        backends[f"onnxruntime {onnxruntime.__version__}, CUDA, optimization {level}"] = _session(name, level)
    betas = {
        backend: torch.full((len(ALPHAS),), -torch.inf, dtype=torch.float64, device="cuda") for backend in backends
    }
    for x in _all_float32(stride):
        exact = ELEMENTARY[name].exact(x.double())
        for backend, answer in backends.items():
            betas[backend] = torch.maximum(betas[backend], needed_betas(answer(x), exact))
    alpha = accuracy(name).alpha
    for backend, found in betas.items():
        by_alpha = found.clamp(min=0).tolist()
        beta = by_alpha[int(np.argmin(np.abs(ALPHAS - alpha)))]
        yield {
            "function": name, "cpu": torch.cuda.get_device_name(), "stride": stride, "alpha": alpha, "backend": backend,
            "beta": beta, "table": accuracy(name).beta, "as_cpu": _as_cpu(name, backends[backend]), "betas": by_alpha,
        }  # fmt: skip


def needed_betas(found: Tensor, exact: Tensor) -> Tensor:
    """Return the absolute part that each of `ALPHAS` leaves, ``[alphas]``; infinite for a wrong infinity or NaN."""
    error = torch.where(exact.abs() > LARGEST, 0.0, (found.double() - exact).abs())
    error = error.nan_to_num(nan=torch.inf, posinf=torch.inf).reshape(-1, _PART).amax(1)
    size = exact.abs().reshape(-1, _PART).amin(1).clamp(max=LARGEST)
    alphas = torch.from_numpy(ALPHAS).to(size)
    return (error - alphas[:, None] * size).amax(1)


def _session(name: str, level: Optimization) -> Function:
    session = create_session(functions_graph([ELEMENTARY[name]]), "cuda", optimization=level)
    output = session.get_outputs()[0].name

    def answer(x: Tensor) -> Tensor:
        result = torch.empty_like(x)
        binding = session.io_binding()
        bind = partial(_bind, shape=tuple(x.shape))
        bind(binding.bind_input, "x", tensor=x)
        bind(binding.bind_output, output, tensor=result)
        torch.cuda.synchronize()
        session.run_with_iobinding(binding)
        return result

    return answer


def _bind(put: Callable[..., None], name: str, *, tensor: Tensor, shape: tuple[int, ...]) -> None:
    put(name, "cuda", 0, np.float32, shape, tensor.data_ptr())


def _as_cpu(name: str, answer: Function) -> float:
    """Return the share of a sample whose bits are those of onnxruntime's CPU kernels."""
    x = torch.linspace(-12, 12, _SAMPLE, device="cuda")
    session = create_session(functions_graph([ELEMENTARY[name]]))
    on_cpu = session.run(None, {"x": x.cpu().numpy()})[0]
    return float((answer(x).cpu().numpy().view(np.uint32) == on_cpu.view(np.uint32)).mean())


def _all_float32(stride: int) -> Iterator[Tensor]:
    for start in range(0, 2**32, _CHUNK * stride):
        bits = torch.arange(start, min(start + _CHUNK * stride, 2**32), stride, device="cuda")
        x = torch.where(bits >= 2**31, bits - 2**32, bits).to(torch.int32).view(torch.float32)
        yield x.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


if __name__ == "__main__":
    main()
