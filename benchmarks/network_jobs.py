"""One job on one network of the zoo, in a process of its own: ``python network_jobs.py JOB NETWORK FOLDER``.

``bare`` exports with torch.onnx.export alone, ``package`` with parity's gate, ``answers`` asks plain onnxruntime what
the package's graph answers at new sizes; ``names`` says which networks there are. Each prints one line of JSON.
"""

import contextlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from zoo import networks
from zoo.answers import largest_difference
from zoo.network import Network

from parity_export import ExportOptions, export_package, source_from_module

Found = dict[str, Any]


def bare(network: Network, folder: Path) -> Found:
    """Return what torch.onnx.export costs, and how large the network is."""
    module = network.build()
    inputs = {name: torch.from_numpy(array) for name, array in network.draw(network.example).items()}
    dimensions = {
        size: torch.export.Dim(size) for spec in network.specs for size in spec.shape if isinstance(size, str)
    }
    shapes = {
        spec.name: {axis: dimensions[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
        for spec in network.specs
    }
    options = {"dynamo": True, "verbose": False, "dynamic_shapes": shapes}
    cost = _cost(lambda: torch.onnx.export(module, (), folder / "bare.onnx", kwargs=inputs, **options))
    sizes = {"parameters": sum(tensor.numel() for tensor in module.parameters()), "weights_mb": _megabytes(module)}
    return {**cost, **sizes, "gflops": _flops(network, module) / 1e9}


def package(network: Network, folder: Path) -> Found:
    """Return what parity's export costs."""
    module = network.build()
    options = ExportOptions(plots=False, effort="normal")

    def job() -> None:
        source = source_from_module(module, network.inputs, network.output_spec, network.name)
        export_package(source, folder / "package", options)

    return _cost(job)


def answers(network: Network, folder: Path) -> Found:
    """Return the largest difference between the graph and the module in float64, in units of the tolerance."""
    return largest_difference(network, network.build(), folder / "package")._asdict()


def _flops(network: Network, module: nn.Module) -> float:
    """Return the floating-point operations of one row of the example's sizes."""
    sizes = {**network.example, **({"batch": 1} if "batch" in network.example else {})}
    inputs = {name: torch.from_numpy(array) for name, array in network.draw(sizes).items()}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    return float(counter.get_total_flops())


def _cost(job: Callable[[], object]) -> Found:
    """Return the seconds of a job (``s``) and the process's peak of memory in 10^6 bytes (``mb``), or its refusal."""
    before = _forget_peak()
    start = time.perf_counter()
    try:
        job()
    except Exception as error:  # the benchmark says of each network what it is told
        return {"refused": f"{type(error).__name__}: {error}", "s": time.perf_counter() - start}
    return {"s": time.perf_counter() - start, "mb": _peak(), "mb_before": before}


def _forget_peak() -> float:
    """Let the process's peak begin at what it holds now, where Linux allows it, and return it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _megabytes(module: nn.Module) -> float:
    return sum(tensor.nbytes for tensor in {*module.parameters(), *module.buffers()}) / 1e6


def main() -> None:
    """Do the job and print what it found."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    if sys.argv[1] == "names":
        print(json.dumps(list(networks())))
        return
    job = {"bare": bare, "package": package, "answers": answers}[sys.argv[1]]
    print(json.dumps(job(networks()[sys.argv[2]], Path(sys.argv[3]))))


if __name__ == "__main__":
    main()
