"""docs/proof.md: its table is the table, its rules are there."""

import re
import subprocess
import sys
from pathlib import Path

from parity_export.error_bounds.registry import COMPARISONS, RULES

ROOT = Path(__file__).parent.parent.parent
CERTIFY = ROOT / "export" / "parity_export" / "certify"
TEXT = (ROOT / "docs" / "proof.md").read_text()


def test_its_table_is_the_one_that_the_proof_uses() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "elementary.py", "--markdown"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in TEXT


def test_every_rule_that_it_names_is_there() -> None:
    functions = re.findall(r"`([a-z_]+)\.([a-z_]+)`", TEXT)
    named = [(module, name) for module, name in functions if name not in ("json", "onnx", "py", "torch_gaps")]
    assert len(named) >= 3
    for module, name in named:
        assert f"def {name}(" in (CERTIFY / f"{module}.py").read_text(), (module, name)
    modules = re.findall(r"`([a-z]+)`\)", TEXT)
    assert len(modules) >= 4
    assert all((CERTIFY / f"{module}.py").exists() for module in modules), modules


def test_it_lists_the_operators_that_have_a_rule() -> None:
    listed = re.search(r"\*\*Operators that have a rule\*\*: ([^;]+);", TEXT)
    assert listed is not None
    assert {*re.split(r",\s+", listed[1])} == {*RULES, *COMPARISONS}
