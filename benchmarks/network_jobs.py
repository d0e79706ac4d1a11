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
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from zoo import networks
from zoo.network import Network

from parity_export import ExportOptions, export_package, source_from_module
from parity_runtime import Package
from parity_runtime.inference.session import import_onnxruntime

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
    effort = {"effort": "normal"} if "effort" in {field.name for field in fields(ExportOptions)} else {}
    options = ExportOptions(plots=False, **effort)

    def job() -> None:
        source = source_from_module(module, network.inputs, network.output_spec, network.name)
        export_package(source, folder / "package", options)

    return _cost(job)


def answers(network: Network, folder: Path) -> Found:
    """Return the largest difference between the graph and the module in float64, in units of the tolerance."""
    contract = Package.open(folder / "package").contract
    session = import_onnxruntime().InferenceSession(str(folder / "package" / "model.onnx"))
    module, shares = network.build().double(), {}
    for sizes in network.new:
        drawn = network.draw(sizes, seed=7)
        names = {given.name for given in session.get_inputs()}
        found = dict(zip((spec.name for spec in contract.outputs), session.run(None, _only(drawn, names)), strict=True))
        for name, wanted in _wanted(network, module, drawn, list(found)).items():
            if found[name].shape != wanted.shape:
                return {"refused": f"at {sizes} {name} is {found[name].shape}, of the module {wanted.shape}"}
            difference = np.abs(found[name].astype(np.float64) - wanted)
            share = difference / contract.tolerance[name].allowed(wanted)
            shares[f"{name} at {sizes}"] = float(np.where(np.isnan(share), np.inf, share).max())
    return {"share": max(shares.values()), "where": max(shares, key=lambda name: shares[name])}


def _only(arrays: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if name in names}


def _wanted(network: Network, module: nn.Module, drawn: Found, outputs: list[str]) -> Found:
    """Return what the module answers in float64, by the outputs' names; of a classifier the logits alone."""
    tensors = {name: torch.from_numpy(array) for name, array in drawn.items()}
    doubled = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    with torch.no_grad():
        leaves = [leaf.numpy() for leaf in tree_leaves(module(**doubled)) if isinstance(leaf, torch.Tensor)]
    names = {"multiclass": ["logits"], "binary": ["logits"], "regression": ["value"]}
    return dict(zip(names.get(network.output_spec.task, outputs), leaves, strict=True))


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
