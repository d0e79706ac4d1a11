"""docs/proof.md: its Python runs, its table is the table."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = (ROOT / "docs" / "proof.md").read_text()


def test_its_python_runs() -> None:
    code = "\n".join(BLOCK.findall(TEXT)).replace("packages/xor", "tests/data/proven")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[ True  True]\n(1, 1)\n"), done.stderr


def test_its_table_is_the_one_that_the_proof_uses() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "elementary.py", "--markdown"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in TEXT


def test_every_rule_that_it_names_is_there() -> None:
    for module, name in re.findall(r"`(\w+)\.(\w+)`", TEXT):
        path = ROOT / "export" / "parity_export" / "certify" / f"{module}.py"
        assert not path.exists() or name == "py" or f"def {name}(" in path.read_text(), (module, name)
