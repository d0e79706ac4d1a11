"""``parity bench``."""

import json
import os
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.options import digest_option, operators_option, package_argument, provider_option
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.evaluation.benchmark import Benchmark

_EXAMPLES = """
    # Measure for about a second
    parity bench packages/xor --seconds 0.05
    # Measure with one and with four threads, as JSON
    parity bench packages/xor --threads 1,4 --json
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.option(
    "--threads", default="", metavar="N,N,...", help="Numbers of threads to measure with [default: 1 and all cores]."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.01, 60),
    default=0.5,
    show_default=True,
    help="About how many seconds to measure each figure.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@provider_option
@digest_option
@operators_option
def bench(package: Path, threads: str, as_json: bool, **options: Any) -> None:
    """Measure latency, throughput, start time and memory of PACKAGE on this machine, beside bare onnxruntime.

    Both run alternately in the same process, on the same random rows. The rows lie within the range of the training
    rows, if the package records it.
    """
    measured = Benchmark(package, threads=_numbers(threads), **options)
    figures: dict[str, Any] = {"latency": measured.latency()}
    if not as_json:
        _say_latency(figures["latency"])
    figures["throughput"] = []
    for row in measured.throughput():
        figures["throughput"].append(row)
        if not as_json:
            _say_throughput(row, first=len(figures["throughput"]) == 1)
    figures["start"] = measured.start()
    if as_json:
        click.echo(json.dumps(figures))
        return
    click.echo("\nnew process to the first prediction")
    for name, found in figures["start"].items():
        click.echo(f"  {name:<12} {found['seconds']:8.3f} s {found['peak_mb']:8.0f} MB")


def _numbers(threads: str) -> tuple[int, ...]:
    if not threads:
        return tuple(sorted({1, os.cpu_count() or 1}))
    try:
        return tuple(int(number) for number in threads.split(","))
    except ValueError:
        raise click.UsageError(f"--threads {threads} is not a list of whole numbers") from None


def _say_latency(latency: dict[str, dict[str, float]]) -> None:
    names = list(latency["parity"])
    click.echo("one row, microseconds" + "".join(f"{name.removesuffix('_us'):>10}" for name in names))
    for name, found in latency.items():
        click.echo(f"  {name:<19}" + "".join(f"{found[key]:10.1f}" for key in names))


def _say_throughput(row: dict[str, Any], *, first: bool) -> None:
    if first:
        click.echo("\nthreads   batch    parity rows/s   onnxruntime rows/s   ratio")
    click.echo(
        f"{row['threads']:7} {row['batch']:7} {row['parity_rows_per_s']:16,.0f} "
        f"{row['onnxruntime_rows_per_s']:20,.0f} {row['ratio']:7.2f}"
    )
