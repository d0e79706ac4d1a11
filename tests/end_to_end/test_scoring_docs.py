import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "scoring.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    return tmp_path


def test_the_guides_commands_run_as_they_stand(checkout: Path) -> None:
    assert len(COMMANDS) == 5
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = "set -euo pipefail\n" + "\n".join(COMMANDS)
    done = subprocess.run(
        ["bash", "-c", script], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "id,x1,x2,label,probability_0,probability_1",
        '"a;b";1',
        '{"x1": 0, "x2": 1, "tags": ["a", "b"], "label": 1, ',
        "0,abc,,,",
    ):
        assert line in done.stdout
    assert "bad.csv, row 2: x2 is 'abc', not a number" in done.stderr
    assert (checkout / "scored.csv").read_text().count("\n") == 3


def test_the_guides_python_runs_as_it_stands(checkout: Path) -> None:
    assert len(PROGRAMS) == 1
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[0]], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.stdout.count("(1000, 2)") == 10, done.stderr
