"""How often the gate refuses a right graph: many architectures, each with many random weights. Part of ``make soak``.

``python -m tests.parity.false_refusals --seeds 20 --out table.md``
"""

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from parity_export import ExportOptions, source_from_module
from parity_export.gate.report import Report
from parity_export.gate.run_gate import run_gate
from parity_export.graph.build_graph import build_graph, serialize, with_graph_outputs
from parity_export.sources.model_source import ModelSource
from tests.parity.architectures import ARCHITECTURES
from tests.parity.zoo import ZOO, Specimen

SPECIMENS = [*ZOO, *ARCHITECTURES]


def source_of(specimen: Specimen, seed: int) -> ModelSource:
    torch.manual_seed(seed)
    return source_from_module(specimen.build().eval(), specimen.specs, specimen.output_spec, specimen.name)


def with_weights(graph: onnx.ModelProto, module: nn.Module) -> bytes:
    """Return a graph with the weights of another module of its kind: each is an initializer of its own name."""
    weights = module.state_dict()
    for tensor in graph.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name].numpy(), tensor.name))
    return graph.SerializeToString()


def reports(specimen: Specimen, seeds: int) -> list[Report]:
    """Return what the gate says of a specimen with each seed's weights, exported once."""
    source = source_of(specimen, 0)
    model, _ = build_graph(source, ExportOptions())
    contract = with_graph_outputs(source, model)
    graph = onnx.load_from_string(serialize(model))
    found = []
    for seed in range(seeds):
        other = source_of(specimen, seed)
        judged = ModelSource(other.module, contract, other.module_output, other.sample)
        found.append(run_gate(with_weights(graph, other.module), judged).report)
    return found


def row(specimen: Specimen, seeds: int) -> tuple[str, int]:
    """Return one line of the table, and how many were refused."""
    start = time.perf_counter()
    found = reports(specimen, seeds)
    refused = [report for report in found if not report.passed]
    for report in refused:
        sys.stderr.write(f"{specimen.name}: {report.reason()}\n")
    gated = [cell for report in found for cell in report.results if cell.backend.runtime == "onnxruntime"]
    share = max(difference.share for cell in gated for difference in cell.differences)
    seconds = (time.perf_counter() - start) / seeds
    return f"| {specimen.name} | {seeds} | {len(refused)} | {share:.2f} | {seconds:.1f} |", len(refused)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    lines = [
        "| architecture | seeds | refused | largest share of a tolerance | seconds a gate |",
        "|---|---|---|---|---|",
    ]
    total = 0
    for specimen in SPECIMENS:
        if given.only and specimen.name not in given.only:
            continue
        line, refused = row(specimen, given.seeds)
        total += refused
        lines.append(line)
        print(line, flush=True)  # noqa: T201
    if given.out is not None:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{total} refused of {(len(lines) - 2) * given.seeds}")  # noqa: T201
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
