import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_runtime_guide_runs_as_it_stands() -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "runtime.md").read_text())
    assert len(blocks) >= 5
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "['setosa' 'virginica']",
        "x: float32[batch, time, 3]",
        "{'output_0': (2, 7, 4), 'output_1': (2, 2)}",
        "row 0: rooms is nan; this model takes finite numbers there",
    ):
        assert line in done.stdout
