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


NUMPY_ONNXRUNTIME_AND_CLICK = "import numpy, onnxruntime, click"

# Of parity_runtime, by folder.
HELP = {"": "arguments errors printable version", "cli": "echo main sectioned_help signals"}
PREDICT_ROW = {
    "": (
        "arguments available_cores cgroup contract contract_checks dimension_rule errors feature json_fields objective "
        "operators printable tasks tensor_spec tolerance version"
    ),
    "cli": (
        "drift_options echo engine_options main options predict predict_table progress sectioned_help signals "
        "table_options"
    ),
    "files": "json_file open_file paths",
    "inference": (
        "buffer_pool checked_arrays column_cells column_lengths executor fitted_estimator fork_safety "
        "input_validation live_session memory output_array output_validation predictor probability_bound "
        "proven_answers ready_inputs session signature table_rows training_range truth_classes unknown_categories"
    ),
    "package": (
        "entries external_tensor inline_tensors loader manifest model_scan operator_check varint weights weights_file"
    ),
    "scoring": (
        "chunk_observer create_writer csv_writer formula_injection out_of_range "
        "prediction_columns rejected_rows score_chunk score_table writer"
    ),
    "tables": (
        "arrow_arrays arrow_cells arrow_lines category_cells cell_values chunk csv_chunk csv_file feature_columns "
        "find_tables float_text line_blocks plain_numbers plain_texts read_options timestamp_cells "
        "text_chunk typed_rows"
    ),
}


def command(*arguments: str) -> str:
    return f"from parity_runtime.cli.main import main\ntry: main({list(arguments)!r})\nexcept SystemExit: pass"


def loaded_by(code: str) -> set[str]:
    result = python(f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)")
    assert result.returncode == 0
    return set(result.stderr.split())


def modules(folders: dict[str, str]) -> set[str]:
    """Return the full names of modules, and of the packages that they lie in."""
    names = {f"{folder}.{name}".lstrip(".") for folder, listed in folders.items() for name in listed.split()}
    return {"parity_runtime"} | {f"parity_runtime.{name}" for name in names | {folder for folder in folders if folder}}


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


@pytest.mark.parametrize(
    ("code", "beside", "ours", "others"),
    [
        pytest.param("import parity_runtime", "import importlib, typing", {"": "version"}, "", id="import"),
        pytest.param(command("--help"), "import click", HELP,
                     "atexit bz2 click fnmatch gc json locale lzma shlex shutil signal textwrap zlib", id="help"),
        pytest.param(command("predict", "tests/data/xor", "--row", "0.1,0.9"), NUMPY_ONNXRUNTIME_AND_CLICK, PREDICT_ROW,
                     "atexit copy csv dataclasses fnmatch gc glob hashlib importlib ipaddress json locale ntpath numpy "
                     "pathlib shlex signal urllib", id="predict"),
    ],
)  # fmt: skip
def test_a_start_imports_no_module_that_it_does_not_need(
    code: str, beside: str, ours: dict[str, str], others: str
) -> None:
    """Each takes time at every start; what is new here is imported where it is needed, or has its reason."""
    found = loaded_by(code) - loaded_by(beside)
    assert {name for name in found if name.startswith("parity_")} <= modules(ours)
    tops = {name.partition(".")[0] for name in found if not name.startswith("parity_")}
    assert {name for name in tops if not name.startswith("_")} <= set(others.split())


def test_every_file_of_a_package_is_read_once(xor_package: Path) -> None:
    code = (
        "import sys\nfrom parity_runtime import Predictor\nimport onnxruntime\nopened = []\n"
        "sys.addaudithook(lambda event, told: opened.append(str(told[0])) if event == 'open' else None)\n"
        f"Predictor({str(xor_package)!r}).predict([[0, 1]])\n"
        f"print(*sorted(name for name in opened if name.startswith({str(xor_package)!r})), sep='\\n')"
    )
    names = ("contract.json", "manifest.json", "model.onnx")
    assert python(code).stdout.split() == [str(xor_package / name) for name in names]


def test_cycles_are_looked_for_again_when_a_command_was_imported() -> None:
    code = (
        "import gc, click\nfrom parity_runtime.cli.main import parity\n"
        "parity.get_command(click.Context(parity), 'predict'); print(gc.isenabled())\n"
        "gc.disable(); parity.get_command(click.Context(parity), 'info'); print(gc.isenabled())"
    )
    assert python(code).stdout.split() == ["True", "False"]


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
