import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False
    )


def test_the_runtime_imports_neither_torch_nor_onnx() -> None:
    loaded = python(
        "import parity_runtime, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    ).stdout.split()
    assert "parity_runtime" in loaded
    assert not {"torch", "onnx", "onnxruntime", "parity_training", "parity_export"} & set(loaded)


def test_the_runtime_answers_where_torch_and_onnx_do_not_exist(xor_package: Path) -> None:
    code = BLOCK.format(absent=["torch", "onnx", "onnxscript", "onnx_ir"]) + (
        "from parity_runtime import Predictor\n"
        f"print(Predictor({str(xor_package)!r}).predict([[0, 1], [1, 1]]).tolist())"
    )
    result = python(code)
    assert (result.stdout, result.stderr) == ("[1, 0]\n", "")


def test_without_onnxruntime_the_package_opens_and_a_session_says_what_is_missing(xor_package: Path) -> None:
    code = BLOCK.format(absent=["onnxruntime", "torch", "onnx"]) + (
        "import parity_runtime\n"
        f"print(parity_runtime.Package.open({str(xor_package)!r}).contract.name)\n"
        f"try: parity_runtime.Predictor({str(xor_package)!r})\n"
        "except parity_runtime.MissingExtraError as error: print(error)"
    )
    name, error = python(code).stdout.splitlines()
    assert name == "xor"
    assert '".[cpu]"' in error


def test_a_command_without_its_extra_says_which(tmp_path: Path) -> None:
    code = BLOCK.format(absent=["torch"]) + (
        "from parity_runtime.cli.main import main\nmain(['train', 'xor', '--out', 'x'])"
    )
    result = python(code)
    assert result.returncode == 1
    assert result.stderr.strip() == (
        'parity: parity train needs torch, which is not installed; from a checkout of Parity: pip install ".[train]"'
    )


def test_prediction_writes_no_file_and_starts_no_thread_of_telemetry(xor_package: Path, tmp_path: Path) -> None:
    code = (
        "from parity_runtime import Predictor\n"
        f"Predictor({str(xor_package)!r}).predict([[0, 1]])\n"
        "import os; print(len(os.listdir('/proc/self/task')))"
    )
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "CI": "", "OPENBLAS_NUM_THREADS": "1"}
    result = python(
        "import os\nfor name in ('CI', 'XDG_CACHE_HOME'): os.environ.pop(name, None)\n" + code, **environment
    )
    assert result.stderr == ""
    assert list(tmp_path.rglob("*")) == []
    assert int(result.stdout) == 1


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_scoring_with_pyarrow_does_not_import_pandas(xor_package: Path, tmp_path: Path, suffix: str) -> None:
    """pyarrow imports it for one of its arrays, and that takes as long as some hundred thousand rows."""
    pytest.importorskip("pandas")
    arrow = pytest.importorskip("pyarrow")
    table, rows = tmp_path / f"t.{suffix}", [(row, row / 5000, 0.5) for row in range(5000)]
    columns = arrow.table(dict(zip(("id", "x1", "x2"), map(list, zip(*rows, strict=True)), strict=True)))
    if suffix == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(columns, table)
    elif suffix == "arrow":
        with arrow.ipc.new_file(table, columns.schema) as file:
            file.write_table(columns)
    elif suffix == "csv":
        table.write_text("id,x1,x2\n" + "".join(f"{i},{x},{y}\n" for i, x, y in rows))
    else:
        table.write_text("".join(f'{{"id": {i}, "x1": {x}, "x2": {y}}}\n' for i, x, y in rows))
    command = ["predict", str(xor_package), str(table), "--out", str(tmp_path / f"out.{suffix}")]
    result = python(
        "import sys\nfrom parity_runtime.cli.main import main\n"
        f"try: main({command!r})\n"
        "finally: print(*sorted({'pandas', 'pyarrow'} & {*sys.modules}))"
    )
    assert result.stdout == "pyarrow\n", result.stderr
