"""Clients that others wrote, at their defaults, in environments of their own: ``make clients``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client_environments import present, run
from tests.serving.conftest import DATA, Running, serving

HERE = Path(__file__).parent / "clients"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both() -> Iterator[Running]:
    with serving(DATA / "xor", DATA / "parcels", "--no-access-log") as running:
        yield running


@present("clients")
@pytest.mark.parametrize("script", ["triton_client.py", "kserve_client.py"])
def test_clients_of_the_protocol(both: Running, script: str) -> None:
    run("clients", "python", HERE / script, both.url)


@present("mlserver")
def test_mlservers_codecs(both: Running) -> None:
    run("mlserver", "python", HERE / "mlserver_codecs.py", both.url)


@present("clients")
def test_schemathesis_finds_nothing_in_the_description(both: Running, tmp_path: Path) -> None:
    run("clients", "st", "--config-file", HERE / "schemathesis.toml", "run", f"{both.url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--no-color",
        cwd=tmp_path)  # fmt: skip
