"""The small networks of the benchmarks' zoo are exported, and answer at new sizes."""

from pathlib import Path

import pytest
from benchmarks.zoo.answers import largest_difference
from benchmarks.zoo.network import Network

from parity_export import ExportOptions, export_package, source_from_module
from tests.parity.small_networks import SMALL
from tests.soak import sampled

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("network", sampled(SMALL, {"dlrm", "ft-transformer"}, lambda one: one.name))
def test_it_is_exported_and_answers_at_new_sizes(network: Network, tmp_path: Path) -> None:
    module = network.build()
    source = source_from_module(module, network.inputs, network.output_spec, network.name)
    export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    difference = largest_difference(network, module, tmp_path / "p")
    assert difference.share <= 1, difference
