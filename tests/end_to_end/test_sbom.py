"""The bill of materials of the environment that the tests run in."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.end_to_end.sbom import check_sbom, write_sbom

pytestmark = [pytest.mark.slow, pytest.mark.soak]  # `make dist` writes and checks the bill of what users install


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sbom") / "first.cdx.json"
    write_sbom(sys.executable, file)
    return file


def test_the_bill_names_parity_and_what_it_needs_in_the_versions_that_are_held(bill: Path) -> None:
    check_sbom(bill, version("parity-onnx"), ("numpy", "onnxruntime", "torch", "onnx", "pyarrow", "matplotlib"))


def test_the_same_environment_gives_the_same_bytes_without_a_path_of_the_machine(bill: Path, tmp_path: Path) -> None:
    write_sbom(sys.executable, tmp_path / "second.cdx.json", validate=False)
    assert (tmp_path / "second.cdx.json").read_bytes() == bill.read_bytes()
    assert "file:/" not in bill.read_text()
    assert sys.prefix not in bill.read_text()


def test_a_bill_that_lacks_what_is_needed_is_refused(bill: Path, tmp_path: Path) -> None:
    poorer = json.loads(bill.read_text())
    poorer["components"] = [component for component in poorer["components"] if component["name"] != "numpy"]
    (tmp_path / "poorer.cdx.json").write_text(json.dumps(poorer))
    with pytest.raises(KeyError, match="numpy"):
        check_sbom(tmp_path / "poorer.cdx.json", version("parity-onnx"), ("numpy",))
