"""`parity predict --engine` and `parity evaluate --engine` on real clusters: one machine's answers, whoever dies."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import DigestError, InputError, ParityError, Predictor
from parity_runtime.drift.target_profile import TargetProfile
from parity_runtime.engines.engine import open_engine
from parity_runtime.engines.part_work import PartWork
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.scoring.predict_folder import folder_job
from parity_runtime.tables.table_parts import TablePart
from tests.end_to_end.guide import blocks
from tests.engines.spark_cluster import Cluster, wait_for
from tests.profiles import RENTS, with_profile
from tests.runtime.test_imports import BLOCK, python
from tests.soak import sampled

pyarrow = pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the engines' own

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
XOR = DATA / "xor"
PARTS, ROWS = 20, 60
START = (sys.executable, "-c", "from parity_runtime.cli.main import main; main()")
SLOWLY = ("--batch-size", "1")  # the same answers, later


@pytest.fixture(params=["spark", "ray"])
def engine(request: pytest.FixtureRequest) -> str:
    """An engine by its name; what runs in this process finds its cluster."""
    name: str = request.param
    request.getfixturevalue("session" if name == "spark" else "ray_cluster")
    return name


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Twenty tables with their labels, one in a folder of its own."""
    for number in range(PARTS):
        write_part(tmp_path / "tables" / ("more" if number == 7 else "") / f"part-{number:02}.csv", number)
    return tmp_path / "tables"


def write_part(path: Path, number: int, rows: int = ROWS) -> None:
    points = np.random.default_rng(number).uniform(-0.5, 1.5, (rows, 2)).astype(np.float32)
    labels = (points > 0.5).sum(axis=1) % 2
    lines = [f"{number}-{row},{a},{b},{y}\n" for row, ((a, b), y) in enumerate(zip(points, labels, strict=True))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("id,x1,x2,is_one\n" + "".join(lines))


def files(folder: Path) -> dict[str, bytes]:
    """All that a folder of answers holds, but for the lock."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


def records(out: Path) -> int:
    return len(list((out / "_parity").glob("*.json")))


# Before the others: their session holds the cores of the cluster.
def test_a_driver_that_is_killed_leaves_what_the_next_one_goes_on_with(
    cluster: Cluster, parity: Any, request: pytest.FixtureRequest, tables: Path, tmp_path: Path
) -> None:
    assert parity("predict", XOR, tables, "--out", tmp_path / "one").code == 0
    command = ["predict", XOR, tables, "--out", tmp_path / "scored", "--engine", "spark"]
    # A worker of the cluster has less memory than an executor takes by default: the user's own settings count.
    environment = os.environ | cluster.environment | {
        "PYSPARK_SUBMIT_ARGS": "--driver-memory 512m --executor-memory 512m pyspark-shell",
        "JDK_JAVA_OPTIONS": cluster.java_options,
    }  # fmt: skip
    arguments = [*command, "--engine-address", cluster.url, *SLOWLY]
    process = subprocess.Popen([*START, *map(str, arguments)], env=environment)
    wait_for(lambda: records(tmp_path / "scored"), "part")
    process.kill()
    process.wait()
    assert not (tmp_path / "scored" / "_SUCCESS").exists()
    request.getfixturevalue("session")  # another driver
    begun, done = records(tmp_path / "scored"), parity(*command)
    told = rf"{PARTS * ROWS} rows predicted in .*: {PARTS} files, of which (\d+) (?:was|were) there"
    reused = re.search(told, done.err)
    assert done.code == 0 and reused and 1 <= int(reused[1]) <= begun, done
    assert files(tmp_path / "scored") == files(tmp_path / "one")


def test_the_folder_is_that_of_one_machine_and_either_goes_on_with_the_others(
    engine: str, parity: Any, tables: Path, tmp_path: Path
) -> None:
    command = ("predict", XOR, tables, "--columns", "id,label,probability_1", "--summary", "--out")
    one = parity(*command, tmp_path / "one")
    many = parity(*command, tmp_path / "many", "--engine", engine)
    assert (many.code, many.err) == (0, one.err.replace(str(tmp_path / "one"), str(tmp_path / "many")))
    assert files(tmp_path / "many") == files(tmp_path / "one")
    (tmp_path / "many" / "part-03.csv").unlink()
    (tmp_path / "one" / "part-04.csv").write_text("torn")
    again = parity(*command, tmp_path / "many")
    other = parity(*command, tmp_path / "one", "--engine", engine)
    assert "of which 19 were there already" in again.err and "of which 19 were there already" in other.err
    assert files(tmp_path / "many") == files(tmp_path / "one")
    assert "complete already" in parity(*command, tmp_path / "one", "--engine", engine).err
    refused = parity(*command[:-1], "--errors", "null", "--certified", "--out", tmp_path / "one", "--engine", engine)
    assert refused.code == 1 and len(refused.err.splitlines()) == 1


def test_one_file_is_a_folder_of_one_part(engine: str, parity: Any, tables: Path, tmp_path: Path) -> None:
    done = parity("predict", XOR, tables / "part-00.csv", "--out", tmp_path / "out", "--engine", engine)
    assert done.code == 0 and {"_SUCCESS", "part-00.csv"} <= {*files(tmp_path / "out")}


def test_metrics_are_those_of_one_machine_and_the_curve_says_its_error(
    engine: str, parity: Any, tables: Path, tmp_path: Path
) -> None:
    package = Path(shutil.copytree(XOR, tmp_path / "xor"))
    with_profile(package, [TargetProfile("label", np.array([40, 60]))])
    command = ("evaluate", package, tables, "--target", "is_one", "--json")
    one, many = (json.loads(parity(*command, *more).out) for more in ((), ("--engine", engine)))
    area, error = many.pop("roc_auc"), many.pop("roc_auc_error")
    assert 0 < error < 1e-3 and abs(area - one.pop("roc_auc")) <= error
    assert (
        abs(many.pop("average_precision") - one.pop("average_precision")) <= many.pop("average_precision_error") < 0.1
    )
    assert many == one and one["baseline"]["predicts"] == 1  # the same bits
    gate = parity(*command, "--engine", engine, "--at-least", f"roc_auc={area - error / 2}")
    assert gate.code == 3 and "roc_auc is" in gate.err  # it may be less


@pytest.mark.parametrize("engine", ["spark"], indirect=True)
def test_a_regression_is_evaluated_as_on_one_machine(engine: str, parity: Any, tmp_path: Path) -> None:
    predictor = Predictor(DATA / "rent")
    columns = [feature.name for feature in predictor.contract.row_features]
    rows = np.random.default_rng(0).uniform(1, 50, (90, len(columns))).round(2)
    answers = predictor.predict(rows)[:, 0]
    for start in (0, 1, 40):
        lines = [
            ",".join(map(str, [*row, answer])) for row, answer in zip(rows[start:], answers[start:] + 1.3, strict=True)
        ]
        (tmp_path / f"{start}.csv").write_text("\n".join([",".join([*columns, "cold"]), *lines, ""]))
    package = with_profile(Path(shutil.copytree(DATA / "rent", tmp_path / "rent")), RENTS)
    command = ("evaluate", package, *sorted(tmp_path.glob("*.csv")), "--target", "cold", "--json")
    one, many = parity(*command), parity(*command, "--engine", engine)
    assert (one.code, many.out) == (0, one.out), many
    assert json.loads(one.out)["baseline"]["predicts"] == RENTS[0].mean


def test_what_a_table_lacks_is_one_line_with_its_file_and_row(
    engine: str, parity: Any, tables: Path, tmp_path: Path
) -> None:
    out, bad = tmp_path / "out", tables / "part-17.csv"
    command = ("predict", XOR, tables, "--out", out, "--engine", engine)
    lines = bad.read_text().splitlines(keepends=True)
    lines[9] = "17-8,,1,1\n"
    bad.write_text("".join(lines))
    assert parity(*command).is_refused(1, f"{bad}, row 9: x1 is missing", "--errors null leaves"), parity(*command)
    assert not any((out / name).exists() for name in ("_SUCCESS", bad.name, f".{bad.name}.partial"))
    evaluated = parity("evaluate", XOR, tables, "--target", "is_one", "--engine", engine)
    assert evaluated.is_refused(1, f"{bad}, row 9: x1 is missing"), evaluated
    done = parity(*command, "--errors", "null")
    assert done.code == 0 and f"{bad}, row 9: x1 is missing" in done.err and (out / "_SUCCESS").exists()
    bad.write_text("id,x1,is_one\n1,2,0\n")
    for lacking in (
        ("predict", XOR, tables, "--out", tmp_path / "other"),
        ("evaluate", XOR, tables, "--target", "is_one"),
    ):
        assert parity(*lacking, "--engine", engine).is_refused(1, f"{bad} has no column 'x2'")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("engine", sampled(["spark", "ray"], {"spark"}), indirect=True)
def test_a_worker_that_cannot_do_the_job_is_named(engine: str, tables: Path, tmp_path: Path) -> None:
    package = Path(shutil.copytree(XOR, tmp_path / "p"))
    job, parts = folder_job(Predictor(package), str(tables), tmp_path / "out")
    worker = WorkerPredictor.of(package)

    def error_of(work: Callable[[TablePart], Any], on: list[TablePart] = parts[:2]) -> ParityError:
        with open_engine(engine) as started, pytest.raises(ParityError) as caught:  # type: ignore[arg-type]
            list(started.map(work, on))
        assert len(str(caught.value).splitlines()) == 1
        return caught.value

    assert re.search("has Parity .*, and the driver 9.9", str(error_of(PartWork(replace(worker, version="9.9"), job))))
    older = replace(worker, onnxruntime="1.0")
    assert re.search("has onnxruntime .*, and the driver 1.0", str(error_of(PartWork(older, job))))
    assert re.search("the worker .* does not see .*out", str(error_of(PartWork(worker, job))))
    shutil.copytree(DATA / "xor_certified", tmp_path / "q")
    other = error_of(PartWork(replace(worker, path=str(tmp_path / "q")), job))
    assert isinstance(other, DigestError) and "on the worker" in str(other)
    nowhere = error_of(PartWork(replace(worker, path=str(tmp_path / "nowhere")), job))
    assert isinstance(nowhere, InputError) and "cannot use the package" in str(nowhere)
    assert "ended in the middle of a task" in str(error_of(_die))
    assert "for lack of memory" in str(error_of(_exhaust))


def _die(part: TablePart) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exhaust(part: TablePart) -> None:
    raise MemoryError


def killing(out: Path, victims: Callable[[], list[int]]) -> threading.Thread:
    """Kill processes with -9 as soon as a first part is answered; the thread ends when it has."""

    def kill() -> None:
        wait_for(lambda: records(out), "part")
        for pid in wait_for(victims, "victim"):  # type: ignore[attr-defined]
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def workers_of_ray() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"ray::_run"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("engine", "victim"),
    [("spark", "python"), pytest.param("spark", "executor", marks=pytest.mark.soak), ("ray", "python")],
    indirect=["engine"],
)
def test_a_worker_that_is_killed_costs_nothing(
    engine: str, victim: str, request: pytest.FixtureRequest, parity: Any, tables: Path, tmp_path: Path
) -> None:
    for number in range(PARTS):  # longer ones, and that the killed ones are in the middle of
        write_part(tables / f"part-{number:02}.csv", number, 800)
    assert parity("predict", XOR, tables, "--out", tmp_path / "one").code == 0
    victims = workers_of_ray
    if engine == "spark":
        cluster: Cluster = request.getfixturevalue("cluster")
        victims = cluster.executors if victim == "executor" else lambda: list(cluster.holding("onnxruntime"))
    out = tmp_path / "out"
    thread = killing(out, lambda: victims()[:1])
    done = parity("predict", XOR, tables, "--out", out, "--engine", engine, *SLOWLY)
    assert thread.join(0) is None and not thread.is_alive()  # it was killed before the end
    assert (done.code, done.out) == (0, ""), done
    assert files(out) == files(tmp_path / "one")


@pytest.mark.parametrize("engine", sampled(["spark", "ray"], {"spark"}), indirect=True)
def test_a_package_that_is_replaced_while_the_job_runs_ends_it(
    engine: str, request: pytest.FixtureRequest, parity: Any, tables: Path, tmp_path: Path
) -> None:
    for number in range(PARTS):
        write_part(tables / f"part-{number:02}.csv", number, 800)
    package, other = (shutil.copytree(DATA / name, tmp_path / name) for name in ("xor", "xor_certified"))
    workers = workers_of_ray
    if engine == "spark":
        cluster: Cluster = request.getfixturevalue("cluster")
        workers = lambda: list(cluster.holding("onnxruntime"))  # noqa: E731

    def replaced() -> list[int]:
        if other.exists():
            package.rename(tmp_path / "before")
            other.rename(package)
        return workers()

    thread = killing(tmp_path / "out", replaced)
    done = parity("predict", package, tables, "--out", tmp_path / "out", "--engine", engine, *SLOWLY)
    thread.join()
    assert done.is_refused(3, "on the worker", "is the package"), done
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_a_signal_ends_an_engine_as_it_ends_any_command(tables: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")  # which has handlers of its own
    for number in range(PARTS):
        write_part(tables / f"part-{number:02}.csv", number, 2000)
    out = tmp_path / "out"
    command = [*START, "predict", str(XOR), str(tables), "--out", str(out), "--engine", "ray", *SLOWLY]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: records(out), "part")
    process.terminate()
    assert process.communicate(timeout=60)[1] == "parity: stopped by SIGTERM; nothing half-written is left\n"
    assert process.returncode == 143 and not (out / "_SUCCESS").exists() and not list(out.rglob(".*.partial"))


@pytest.mark.parametrize("format_name", sampled(["csv", "parquet", "jsonl"], {"parquet"}))
@pytest.mark.parametrize("engine", sampled(["spark", "ray"], {"spark"}), indirect=True)
def test_what_has_a_scheme_is_read_and_written_by_the_engine(
    engine: str, parity: Any, tables: Path, tmp_path: Path, format_name: str
) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    table = written(tables, given, format_name)
    command = ("predict", XOR, f"file://{given}", "--engine", engine, "--format", format_name)
    done = parity(*command, "--out", f"file://{out}", "--columns", "id,label,probability_1")
    assert done.code == 0, done
    assert (out / "_SUCCESS").read_bytes() == b""
    found = read_answers(out, format_name)
    features = np.stack([table["x1"], table["x2"]], axis=1).astype(np.float32)
    assert found.column_names == ["id", "label", "probability_1"]
    assert found["id"].to_pylist() == table["id"].to_pylist()
    expected = Predictor(XOR).predict_proba(features)[:, 1]
    assert (np.asarray(found["probability_1"]).astype(np.float32) == expected).all()
    again = parity(*command, "--out", f"file://{out}")
    assert again.is_refused(1, "is there already; choose another folder with --out"), again


def written(tables: Path, folder: Path, format_name: str) -> Any:
    """Write all tables but their labels to a folder in a format, and return their rows by id."""
    from pyarrow import csv, parquet

    parts = [csv.read_csv(path).select(["id", "x1", "x2"]) for path in sorted(tables.rglob("*.csv"))[:3]]
    for number, part in enumerate(parts):
        path = folder / f"{number}.{format_name}"
        if format_name == "csv":
            csv.write_csv(part, path)
        elif format_name == "parquet":
            parquet.write_table(part, path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in part.to_pylist()))
    return pyarrow.concat_tables(parts).sort_by("id").combine_chunks()


def read_answers(out: Path, format_name: str) -> Any:
    from pyarrow import csv, parquet
    from pyarrow import json as arrow_json

    read = {"csv": csv.read_csv, "parquet": parquet.read_table, "jsonl": arrow_json.read_json}[format_name]
    parts = [read(path) for path in out.iterdir() if not path.name.startswith(("_", ".")) and path.stat().st_size]
    return pyarrow.concat_tables(parts).sort_by("id").combine_chunks()


def test_what_the_engine_cannot_read_is_one_line(engine: str, parity: Any, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "a.csv").write_text("id,x1,x2\na,0,1\nb,0,\n")
    command = ("predict", XOR, "--engine", engine, "--out", f"file://{tmp_path}/out", "--format", "csv")
    assert parity(*command, "unknown://here/points").is_refused(1, "unknown")
    assert parity(*command, f"file://{tmp_path}/nowhere").is_refused(1, "cannot read", "nowhere")
    assert parity(*command, f"file://{given}").is_refused(1, "row 2: x2 is missing", "--errors null")
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    (given / "a.csv").write_text("id,x1\na,0\n")
    assert parity(*command, f"file://{given}").is_refused(1, "has no column 'x2'")
    assert parity(*command, given, f"file://{given}").is_refused(1, f"{given} is a path, and others have a scheme")
    for option in (
        "--summary",
        "--spreadsheet-safe",
        "--decimal=,",
        "--batch-size=3",
        "--threads=2",
        "--missing-values=",
    ):
        refused = parity(*command, f"file://{given}", option)
        assert refused.code == 2 and option.partition("=")[0] in refused.err, refused


def test_rows_of_too_few_cells_end_the_job_and_a_line_break_in_quotes_is_of_its_cell(
    engine: str, parity: Any, tmp_path: Path
) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    (given / "a.csv").write_text('id,x1,x2\n"a\nb",0,1\nc,1,1\n')
    command = ("predict", XOR, f"file://{given}", "--engine", engine, "--out", f"file://{out}", "--format", "csv")
    assert parity(*command, "--columns", "label").code == 0
    rows = [line for path in out.glob("*.csv") for line in path.read_text().splitlines()[1:]]
    assert [line.strip('"') for line in rows] == ["1", "0"]
    (given / "a.csv").write_text("id,x1,x2\na,0,1\nc,1\n")
    out = out.with_name("ragged")
    done = parity(*command[:-3], f"file://{out}", "--format", "csv", "--errors", "null")
    assert done.code == 1 and len(done.err.splitlines()) == 1 and not (out / "_SUCCESS").exists(), done


def test_a_folder_of_answers_that_was_there_stays(engine: str, parity: Any, tables: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    command = ("predict", XOR, f"file://{tables}", "--engine", engine, "--out", f"file://{tmp_path}/out")
    assert parity(*command, "--format", "parquet").code == 1
    assert (tmp_path / "out").is_dir()


def test_a_path_that_goes_up_from_a_link_is_the_system_s(
    engine: str, parity: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "other" / "deep")
    (tmp_path / "other" / "t.csv").write_text("x1,x2\n0,1\n")
    (tmp_path / "here" / "t.csv").write_text("x1,x2\n1,1\n")
    monkeypatch.chdir(tmp_path / "here")
    done = parity("predict", XOR, "link/../t.csv", "--out", "scored", "--engine", engine, "--columns", "label")
    assert done.code == 0 and (tmp_path / "here" / "scored" / "t.csv").read_text() == "label\n1\n", done


@pytest.mark.parametrize("name", ["spark", "ray"])
def test_what_no_engine_can_do_is_refused_before_it_starts(
    name: str, parity: Any, tables: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "out", "--engine", name)
    for words, arguments in {
        "not stdin": ("predict", XOR, "-", *out),
        "not on --row": ("predict", XOR, "--row", "0,1", *out),
        "--explain-row": ("predict", XOR, tables, "--explain-row", "1", "--engine", name),
        "--out FOLDER": ("predict", XOR, tables, "--engine", name),
        "--engine-address needs an engine": ("predict", XOR, tables, "--engine-address", "x:1", *out[:2]),
        "not URLs": ("evaluate", XOR, "s3://bucket/points", "--engine", name),
    }.items():
        refused = parity(*arguments)
        assert refused.code == 2 and words in refused.err, refused
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "library"), [("spark", "pyspark"), ("ray", "ray")])
def test_without_its_extra_or_its_cluster_an_engine_says_so(
    name: str, library: str, tables: Path, tmp_path: Path
) -> None:
    code = BLOCK.format(absent=[library]) + "from parity_runtime.cli.main import main\n"
    arguments = ["predict", str(XOR), str(tables), "--out", str(tmp_path / "out"), "--engine", name]
    absent = python(code + f"main({arguments!r})")
    assert (absent.returncode, absent.stderr) == (
        1, f'parity: {library} is not installed; from a checkout of Parity: pip install ".[cpu,{name}]"\n'
    )  # fmt: skip
    pytest.importorskip(library)
    address = "spark://127.0.0.1:1" if name == "spark" else "127.0.0.1:1"
    deaf = python(f"from parity_runtime.cli.main import main\nmain({[*arguments, '--engine-address', address]!r})")
    assert deaf.returncode == 1 and len(deaf.stderr.splitlines()) == 1, deaf.stderr
    assert "Connection refused" in deaf.stderr and "--engine-address takes" in deaf.stderr


@pytest.mark.usefixtures("session", "ray_cluster")
def test_the_guide_runs_as_it_stands(parity: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(XOR, tmp_path / "tests" / "data" / "xor")
    monkeypatch.chdir(tmp_path)
    (code,) = [code for _, code, _ in blocks((ROOT / "docs/how-to/clusters.md").read_text()) if "--engine ray" in code]
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "parity":
            done = parity(*words[1:])
            said = line.partition("# ")[2]
            assert done.code == 0 and (not said or said in done.err), done
        else:
            subprocess.run(line, shell=True, check=True)  # noqa: S602 -- a guide of our own
    assert (tmp_path / "scored" / "tuesday.csv").read_bytes() == (tmp_path / "by-ray" / "tuesday.csv").read_bytes()
