import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_training_guide_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    blocks = BLOCK.findall((ROOT / "docs" / "training.md").read_text())
    assert blocks
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "TableNetwork" in done.stdout
    assert (tmp_path / "runs" / "xor-again" / "state_dict.pt").is_file()
