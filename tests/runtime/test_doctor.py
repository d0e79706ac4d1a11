"""``parity doctor``: in environments of its own it says what is missing, broken or otherwise than it seems."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import distribution, requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from parity_runtime.cgroup import cgroup_cores, cgroup_memory
from parity_runtime.doctor.core import check_core, own_requirements
from parity_runtime.doctor.environment import check_environment
from parity_runtime.doctor.extras import check_extras
from parity_runtime.doctor.kernels import GRAPHS, normalization_error
from parity_runtime.doctor.machine import cores_finding, processor_finding
from parity_runtime.doctor.own_process import MARK, found_by
from parity_runtime.doctor.probe import SAMPLE
from parity_runtime.doctor.providers import check_providers
from parity_runtime.doctor.requirement import Requirement, release
from tests.terminal import on_terminal

RUNTIME = Path(__file__).parent.parent.parent / "runtime"
MAIN = "from parity_runtime.cli.main import main; main()"
ALONE = {"PATH": os.environ["PATH"]}


class Installed:
    """An environment of Python that holds the runtime's code and what is put into it, and no more."""

    def __init__(self, folder: Path, *names: str) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.python = folder / "bin" / "python"
        (self.packages,) = folder.glob("lib/python*/site-packages")
        (self.packages / "runtime.pth").write_text(str(RUNTIME))
        self.metadata("parity-onnx")
        for name in names:
            files = distribution(name).files or ()
            for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
                if not top.endswith(".dist-info"):
                    (self.packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))
            self.metadata(name)

    def metadata(self, name: str, **replaced: str) -> None:
        """Say that a distribution is installed, with some fields of its metadata replaced."""
        text = distribution(name).read_text("METADATA") or ""
        for field, value in replaced.items():
            text = re.sub(rf"^{field}: .*$", f"{field}: {value}", text, flags=re.MULTILINE)
        folder = self.packages / f"{replaced.get('Name', name).replace('-', '_')}-1.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(text)

    def doctor(self, *arguments: str, code: int, flags: str = "-b", **variables: str) -> dict[str, dict[str, Any]]:
        """Return the findings by their names, after checking how the command ends."""
        command = [self.python, flags, "-c", MAIN, "doctor", "--json", *arguments]
        return findings(command, code, variables)


def findings(command: list[Any], code: int, variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ALONE | variables)
    assert (done.returncode, done.stderr) == (code, ""), done
    told = json.loads(done.stdout)
    assert told["works"] is (code == 0)
    return {f"{each['area']} {each['name']}": each for each in told["findings"]}


@pytest.fixture
def runtime(tmp_path: Path) -> Installed:
    """What ``pip install ".[cpu]"`` brings."""
    return Installed(tmp_path / "venv", "numpy", "click", "onnxruntime")


@pytest.mark.slow
def test_a_runtime_alone_works_and_the_rest_is_absent_with_the_line_that_brings_it(runtime: Installed) -> None:
    found = runtime.doctor(code=0)
    assert {each["level"] for name, each in found.items() if name.startswith("core")} == {"ok"}
    assert found["providers cpu"]["level"] == "ok" and "112 values" in found["providers cpu"]["found"]
    assert found["core onnxruntime"]["found"].startswith(version("onnxruntime"))
    extras = {name: each for name, each in found.items() if name.startswith("extras")}
    assert {"extras train", "extras export", "extras spark", "extras serve"} <= set(extras)
    assert {each["level"] for each in extras.values()} == {"absent"}
    words = shlex.split(extras["extras train"]["remedy"])
    assert {"install", f"torch{range_of('torch', 'train')}"} <= set(words) and "not installed: " in str(extras)


def range_of(name: str, extra: str | None) -> str:
    return next(each.range for each in own_requirements() if (each.name, each.extra) == (name, extra))


@pytest.mark.slow
def test_without_numpy_and_onnxruntime_the_errors_have_the_line_that_installs_them_here(tmp_path: Path) -> None:
    installed = Installed(tmp_path / "venv", "click")
    found = installed.doctor(code=1)
    for name, extra in (("numpy", None), ("onnxruntime", "cpu")):
        assert found[f"core {name}"]["level"] == "error"
        words = shlex.split(found[f"core {name}"]["remedy"])
        assert words[-1] == f"{name}{range_of(name, extra)}" and str(installed.python) in words


@pytest.mark.slow
def test_code_without_its_metadata_is_told_with_the_line_that_installs_it(tmp_path: Path) -> None:
    installed = Installed(tmp_path / "venv", "click", "numpy", "onnxruntime")
    shutil.rmtree(installed.packages / "parity_onnx-1.dist-info")
    found = installed.doctor(code=0)
    assert found["core parity-onnx"]["level"] == "warning" and found["providers cpu"]["level"] == "ok"
    assert found["core onnxruntime"]["found"] == version("onnxruntime")
    installed.metadata("parity-onnx", Version="0.0.1")
    found = installed.doctor(code=0)["core parity-onnx"]
    assert found["level"] == "warning" and "that of 0.0.1" in found["found"]
    assert not RUNTIME.is_dir() or shlex.split(found["remedy"])[-1] == f"{RUNTIME.parent}[cpu]"


@pytest.mark.slow
def test_versions_out_of_range_and_two_wheels_are_found(runtime: Installed) -> None:
    shutil.rmtree(runtime.packages / "onnxruntime-1.dist-info")
    found = runtime.doctor(code=0)
    assert "from another wheel" in found["core onnxruntime"]["found"] and found["providers cpu"]["level"] == "ok"
    runtime.metadata("onnxruntime")
    runtime.metadata("parity-onnx", **{"Requires-Python": ">=99"})
    runtime.metadata("numpy", Version="1.2.3")
    runtime.metadata("onnxruntime", Name="onnxruntime-gpu", Version="1.30.0")
    found = runtime.doctor(code=1)
    assert found["core Python"]["level"] == found["core numpy"]["level"] == "error"
    assert found["core onnxruntime"]["level"] == "warning" and "(needed: >=99)" in found["core Python"]["found"]
    assert "1.2.3 (needed: " in found["core numpy"]["found"]
    assert "overwrite each other's files" in found["core onnxruntime"]["found"]
    assert "uninstall" in found["core onnxruntime"]["remedy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", "onnxruntime ends the process: Aborted"),
        ("raise ImportError('libfoo.so.1: cannot open shared object file')", "libfoo.so.1"),
    ],
)
def test_an_onnxruntime_that_cannot_be_imported_is_an_error(tmp_path: Path, code: str, words: str) -> None:
    installed = Installed(tmp_path / "venv", "numpy", "click")
    installed.metadata("onnxruntime")
    (installed.packages / "onnxruntime.py").write_text(code)
    found = installed.doctor(code=1)["providers cpu"]
    assert found["level"] == "error" and words in found["found"], found
    assert f"onnxruntime=={version('onnxruntime')}" in found["remedy"]


@pytest.mark.slow
def test_what_is_broken_is_named_and_not_onnxruntime_in_its_place(runtime: Installed, tmp_path: Path) -> None:
    own = Path(shutil.copytree(RUNTIME, tmp_path / "runtime"))
    (runtime.packages / "runtime.pth").write_text(str(own))
    for file in ("sample/model.onnx", "graphs/int8_products.onnx"):
        path = own / "parity_runtime" / "doctor" / file
        kept = path.read_bytes()
        path.write_bytes(kept[:-9])
        found = runtime.doctor(code=1)["providers cpu"]
        assert "a file of Parity itself is damaged (" in found["found"] and found["remedy"] == "", found
        path.write_bytes(kept)
    (runtime.packages / "numpy").unlink()
    for code, words in (
        ("import os; os.abort()", "importing numpy ends the process"),
        ("0 / 0", "numpy cannot be imp"),
    ):
        (runtime.packages / "numpy.py").write_text(code)
        found = runtime.doctor(code=1)["providers cpu"]
        assert found["found"].startswith(words) and f"numpy=={version('numpy')}" in found["remedy"], found
    (runtime.packages / "numpy.py").unlink()
    (runtime.packages / "numpy").mkdir()  # what an uninstallation may leave
    found = runtime.doctor(code=1)["providers cpu"]
    assert found["found"].startswith("numpy cannot be imp") and f"numpy=={version('numpy')}" in found["remedy"], found


@pytest.mark.slow
def test_a_damaged_onnxruntime_is_broken_and_not_absent_and_of_two_wheels_one_is_kept(tmp_path: Path) -> None:
    installed = Installed(tmp_path / "venv", "numpy", "click")
    installed.metadata("onnxruntime")
    (installed.packages / "onnxruntime").mkdir()
    (installed.packages / "onnxruntime" / "__init__.py").write_text("import onnxruntime.capi")
    found = installed.doctor(code=1)["providers cpu"]
    assert found["found"].startswith("onnxruntime is broken (No module named 'onnxruntime.capi')"), found
    assert f"onnxruntime=={version('onnxruntime')}" in found["remedy"]
    installed.metadata("onnxruntime", Name="onnxruntime-gpu")
    told = installed.doctor(code=1)
    assert told["providers cpu"]["remedy"] == told["core onnxruntime"]["remedy"] != ""
    assert "uninstall" in told["core onnxruntime"]["remedy"]


@pytest.mark.slow
def test_what_pythonpath_hides_is_told_unless_python_ignores_it(runtime: Installed, tmp_path: Path) -> None:
    for name in ("numpy", "onnxruntime"):
        folder = tmp_path / f"hides-{name}"
        folder.mkdir()
        (folder / f"{name}.py").write_text("0 / 0")
        found = runtime.doctor(code=1, PYTHONPATH=f"/absent:{folder}")["providers cpu"]
        assert f"{folder}, which PYTHONPATH names, hides the installed one" in found["found"], found
        assert found["remedy"] == "unset PYTHONPATH"
        assert runtime.doctor(code=0, flags="-I", PYTHONPATH=str(folder))["providers cpu"]["level"] == "ok"


SYSTEM = Path("/usr/bin/python3")
MANAGED = """import sys, sysconfig, pathlib
print(sys.version_info >= (3, 11) and (pathlib.Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file())"""


@pytest.mark.slow
def test_where_the_system_manages_python_the_lines_that_mend_make_an_environment(tmp_path: Path) -> None:
    if not SYSTEM.exists() or "True" not in subprocess.check_output([SYSTEM, "-c", MANAGED], text=True):
        pytest.skip(f"{SYSTEM} is not managed by its system")
    libraries = Installed(tmp_path / "venv", "click").packages
    path = f"{RUNTIME}:{libraries}"
    found = findings([SYSTEM, "-c", MAIN, "doctor", "--json"], 1, {"PYTHONPATH": path})
    assert "managed by its system" in found["core Python"]["found"]
    remedy = found["core onnxruntime"]["remedy"]
    make, _, install = remedy.partition(" && ")
    assert shlex.split(install)[-1].startswith("onnxruntime") and str(RUNTIME.parent) in shlex.split(install)
    lists = f"{install.partition(' install ')[0]} list"  # what it installs comes over a network
    done = subprocess.run(["sh", "-c", f"{make} && {lists}"], cwd=tmp_path, env=ALONE, capture_output=True, check=False)
    no_venv = b"ensurepip is not available" in done.stdout
    assert done.returncode == 0 or no_venv, done


@pytest.mark.slow
def test_metadata_that_cannot_be_read_is_none(runtime: Installed) -> None:
    for name, area in (("numpy", "core numpy"), ("parity-onnx", "core parity-onnx")):
        (runtime.packages / f"{name.replace('-', '_')}-1.dist-info" / "METADATA").write_bytes(b"Version: \xff")
        found = runtime.doctor(code=int(name == "numpy"))[area]
        assert "not installed" in found["found"] or "installed is none" in found["found"], found
        runtime.metadata(name)


def test_what_libraries_print_is_no_answer() -> None:
    answer = MARK + '{"a": 1}'
    for other in ("3", "null", '{"event": "unloaded"}', "goodbye"):
        printed = f"import atexit; atexit.register(print, {other!r}); print({other!r})"
        answered = f"{printed}; print({answer!r})"
        assert found_by([sys.executable, "-c", answered], 60, {}) == {"a": 1}
        assert found_by([sys.executable, "-c", printed], 60, {}) == "ends the process with 0: without a message"
    crashed = f"print({answer!r}); raise SystemExit('the end')"
    assert found_by([sys.executable, "-c", crashed], 60, {}) == "ends the process with 1: the end"


@pytest.mark.slow
def test_the_line_that_mends_works_where_pip_is_not_installed(tmp_path: Path) -> None:
    remedy = Installed(tmp_path / "venv", "click").doctor(code=1)["core numpy"]["remedy"]
    words = shlex.split(remedy)
    assert words[0] == "uv" or words[1:5] == ["-m", "ensurepip", "&&", words[0]], remedy
    lists = shlex.join([*words[words.index("install") - 2 : words.index("install")], "list"])
    brings = remedy.rpartition(" && ")[0] or "true"
    run = f"{brings} && {lists if words[0] == 'uv' else f'{words[0]} {lists}'}"
    subprocess.run(["sh", "-c", run], check=True, capture_output=True, env=ALONE, timeout=120)


@pytest.mark.slow
def test_a_closed_stdout_is_no_traceback() -> None:
    command = f"{shlex.join([sys.executable, '-c', MAIN, 'doctor'])} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_deep_imports_what_the_metadata_promises(runtime: Installed) -> None:
    of_serve = [each for each in requires("parity-onnx") or [] if "extra == " in each and "serve" in each]
    for name in [re.split(r"[^\w-]", each)[0] for each in of_serve]:
        pytest.importorskip(name.replace("-", "_"))
        runtime.metadata(name)
        (runtime.packages / f"{name.replace('-', '_')}.py").touch()
    assert runtime.doctor("--deep", code=0)["extras serve"]["found"].endswith("; imported")
    (runtime.packages / "orjson.py").write_text("import absent_library")
    found = runtime.doctor("--deep", code=0)["extras serve"]
    assert found["level"] == "warning" and "orjson cannot be imported (ModuleNotFoundError" in found["found"]
    assert "--force-reinstall" in found["remedy"]
    assert runtime.doctor(code=0)["extras serve"]["level"] == "ok"


def test_a_person_reads_aligned_lines_without_color_where_no_terminal_is(parity: Any) -> None:
    answer = parity("doctor")
    assert (answer.code, answer.err) == (0, "")
    assert "\x1b" not in answer.out
    lines = answer.out.splitlines()
    assert lines[0] == "core" and lines[-1].startswith("Parity can predict here: 0 errors, ")
    marked = [line for line in lines if line.startswith("  ") and not line.startswith(" " * 12)]
    assert {line[2:9].strip() for line in marked} <= {"ok", "absent", "warning", "error"}
    assert all(line[9:11] == "  " and line[11] != " " and line[33:35] == "  " for line in marked), marked


@pytest.mark.slow
@pytest.mark.parametrize(("variable", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_shows_colors_unless_it_is_asked_for_none(variable: dict[str, str], colored: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    command = [sys.executable, "-c", MAIN]
    _, shown = on_terminal([*command, "doctor"], both=True, environment=environment | {"TERM": "xterm"} | variable)
    assert ("\x1b[32mok" in shown) is colored and "can predict here" in shown
    _, shown = on_terminal([*command, "--help"], both=True, environment=environment | {"TERM": "xterm"} | variable)
    assert "\x1b" not in shown and "doctor" in shown


@pytest.mark.parametrize(
    ("name", "value", "level", "remedy"),
    [
        ("OMP_NUM_THREADS", "1", "ok", ""),
        ("OMP_NUM_THREADS", "many", "warning", "export OMP_NUM_THREADS="),
        ("OMP_NUM_THREADS", "100000", "warning", "export OMP_NUM_THREADS="),
        ("ORT_DISABLE_TELEMETRY", "1", "ok", ""),
        ("ORT_DISABLE_TELEMETRY", "0", "warning", "export ORT_DISABLE_TELEMETRY=1"),
        ("KMP_DUPLICATE_LIB_OK", "TRUE", "warning", "unset KMP_DUPLICATE_LIB_OK"),
        ("TMPDIR", "/absent", "warning", "unset TMPDIR"),
        ("JAVA_HOME", "/opt/\x1b[31mjava", "ok", ""),
    ],
)
def test_variables_that_matter_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, level: str, remedy: str
) -> None:
    assert name not in {each.name for each in check_environment()} or monkeypatch.delenv(name) is None
    monkeypatch.setenv(name, value)
    (found,) = [each for each in check_environment() if each.name == name]
    assert found.level == level and found.remedy.startswith(remedy) and bool(found.remedy) is bool(remedy)
    assert found.found.isprintable()


def test_a_hidden_gpu_is_told_where_onnxruntime_has_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (found,) = [each for each in check_providers() if each.name == "cuda"]
    if "onnxruntime-gpu" in {each.name for each in own_requirements() if each.installed}:
        assert found.level == "warning" and found.remedy == "unset CUDA_VISIBLE_DEVICES"
    else:
        assert found.level == "absent" and "built without CUDA" in found.found


@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")
def test_spark_without_its_java_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    def spark() -> Any:
        return next(each for each in check_extras(deep=False) if each.name == "spark")

    assert (spark().level, spark().remedy) == ("warning", "unset JAVA_HOME")
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    java.chmod(0o755)
    assert spark().level == "warning" and "there is Java 8 in JAVA_HOME" in spark().found
    monkeypatch.delenv("JAVA_HOME")
    assert spark().level == "ok" and ", Java " in spark().found


def test_a_quota_below_the_cores_wants_fewer_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert cores_finding(4, None).level == cores_finding(4, 4.0).level == "ok"
    assert cores_finding(4, 2.5).remedy == "export OMP_NUM_THREADS=2"
    assert cores_finding(4, 0.5).remedy == "export OMP_NUM_THREADS=1"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores_finding(4, 2.5).level == "ok"


def test_a_processor_without_avx2_is_told() -> None:
    assert processor_finding("x86_64", {"sse2"}).level == "warning"
    found = processor_finding("x86_64", {"sse2", "avx2", "avx_vnni"})
    assert (found.level, found.found) == ("ok", "x86_64: AVX2, AVX-VNNI")
    assert processor_finding("aarch64", {"asimd"}).level == processor_finding("arm64", None).level == "ok"


@pytest.mark.parametrize("group", ["/", "/pod/box"])
def test_quotas_and_limits_of_both_versions_of_cgroups_are_read(tmp_path: Path, group: str) -> None:
    own = tmp_path / "own"
    assert (cgroup_cores(tmp_path, own), cgroup_memory(tmp_path, own)) == (None, None)
    own.write_text(f"0::{group}\n")
    (tmp_path / "pod" / "box").mkdir(parents=True)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (cgroup_cores(tmp_path, own), cgroup_memory(tmp_path, own)) == (None, None)
    (tmp_path / group.strip("/") / "cpu.max").write_text("150000 100000\n")
    (tmp_path / group.strip("/") / "memory.max").write_text("1073741824\n")
    assert (cgroup_cores(tmp_path, own), cgroup_memory(tmp_path, own)) == (1.5, 2**30)
    own.write_text(f"5:cpu,cpuacct:{group}\n4:memory:{group}\n0::/\n")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    shutil.rmtree(tmp_path / "pod")
    for name in ("cpu.max", "memory.max"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("536870912\n")
    assert (cgroup_cores(tmp_path, own), cgroup_memory(tmp_path, own)) == (0.5, 2**29)
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert cgroup_memory(tmp_path, own) is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert cgroup_cores(tmp_path, own) is None


def test_every_requirement_of_parity_is_read_and_none_of_another_form() -> None:
    lines = distribution("parity-onnx").requires or []
    assert {Requirement.parse(line).name for line in lines} >= {"numpy", "click", "torch", "onnxruntime-gpu"}
    assert all(len(each.bounds) == 1 for each in own_requirements())
    for text in ("a @ https://host/a.whl", "a~=1.0", "a; os_name == 'nt' or extra == 'b'", "a; os_name == 'nt'"):
        with pytest.raises(ValueError, match="form"):
            Requirement.parse(text)


def test_versions_are_ordered_as_packaging_orders_them() -> None:
    texts = ["1.9", "1.10rc1", "1.10", "1.10.0", "1.10.1", "2", "2.13", "2.13.1.dev3", "2.13.1", "2024.1"]
    for one, other in itertools.product(texts, repeat=2):
        assert (release(one) < release(other)) is (Version(one) < Version(other)), (one, other)
    assert release("2.13.0+cpu") == release("2.13")
    assert Requirement.parse("a>=1,<2").allows("1.5") and not Requirement.parse("a>=1,<2").allows("master")


def test_what_is_shipped_is_what_its_maker_makes(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.data.make_sample import make

    make(tmp_path / "sample", tmp_path / "graphs")
    for made, shipped in ((tmp_path / "sample", SAMPLE), (tmp_path / "graphs", GRAPHS)):
        names = {path.name for path in made.iterdir()}
        assert names == {path.name for path in shipped.iterdir()}
        assert [name for name in names if (made / name).read_bytes() != (shipped / name).read_bytes()] == []


def test_one_pass_over_the_variance_is_seen_by_its_error() -> None:
    two_passes = Version(version("onnxruntime")) >= Version("1.27")
    assert (normalization_error() < 0.001) is two_passes
    assert {each.name for each in check_core()} >= {"Python", "parity-onnx", "numpy", "click", "onnxruntime"}
