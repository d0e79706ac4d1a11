"""docs/proof.md: its table is the table, its rules are there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "proof.md").read_text()


def test_its_table_is_the_one_that_the_proof_uses() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "elementary.py", "--markdown"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in TEXT


def test_every_rule_that_it_names_is_there() -> None:
    for module, name in re.findall(r"`(\w+)\.(\w+)`", TEXT):
        path = ROOT / "export" / "parity_export" / "certify" / f"{module}.py"
        assert not path.exists() or name == "py" or f"def {name}(" in path.read_text(), (module, name)
