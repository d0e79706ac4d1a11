"""Every command and every block of Python in README and docs runs as it stands, or says why it is not run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context, Group

import parity_export
import parity_runtime
import parity_training
from parity_runtime.cli.main import parity
from tests.end_to_end.guide import LANGUAGES, blocks
from tests.python_path import python_path
from tests.soak import sampled
from tests.warm_process import WarmProcess

ROOT = Path(__file__).parent.parent.parent
GUIDES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LONG = {
    "trust.md", "training.md", "large-tables.md", "several-processes.md", "scikit-learn.md", "report.md", "proof.md",
    "error-bounds.md", "xor.md",
}  # fmt: skip
"""What `make soak` runs; the README has all the commands of the tutorial, and of what explains error bounds."""

RUN = """
import sys
import warnings

sys.path.insert(0, {root!r})
warnings.simplefilter("error")
warnings.simplefilter("ignore", FutureWarning)  # torch's own exporter uses what torch deprecates
from tests.end_to_end.guide import main

main({guide!r})
sys.exit()
"""
"""Runs a guide in a fork of the warm process, before any command."""

SAYS = {
    "README.md": ["[1 0]", "accuracy", "labels are certified"],
    "xor.md": ["XORClassifier(", "17 parameters", "[0 1 1 0]", "[ True  True  True  True]"],
    "your-module.md": ["width", "(3, 2)"],
    "module-tensors.md": ["mask: int64[batch, time] in 0..1, prefix"],
    "module-weights.md": ["2 tensors are bfloat16; read as float32, exactly"],
    "check-onnx.md": ["exit 3"],
    "operations.md": ["accuracy"],
    "runtime.md": [
        "['setosa' 'virginica']", "x: float32[batch, time, 3]", "{'output_0': (2, 7, 4), 'output_1': (2, 2)}",
        "row 1: rooms is missing, and this model takes no missing cell there", "1 rooms", "[[False False]", "(3, 100)",
        "5 features (1 numeric, 1 boolean, 1 categorical, 1 code, 1 datetime)", "[[2.375]]",
    ],
    "scoring.md": [
        "id,x1,x2,label,probability_0,probability_1", '"a;b";1', '{"x1": 0, "x2": 1, "tags": ["a", "b"], "label": 1, ',
        "0,abc,,,", "(1000, 2)", "0;0,75;1;", '0,"$1,000.50",', "0,absent,,,",
        "probability_1,out_of_range", "1e30,0,,,", "a,0,1,1,", "2 2 False", "[1 -- 0]\nbatch 2, row 5:",
        "1,yes,red,1.5,2020-01-01,true,3.0,yes,",
    ],
    "dask.md": ["Dask: 676", "Dask: 1 row", "opened once a process: 676"],
    "polars.md": ["[1 1 1 1 1]", "polars: 676", "polars: 1 row"],
    "duckdb.md": ["DuckDB: 676", "SQL: [(676,)]", "DuckDB: [(77,)] 78"],
    "deploy.md": ["batches of up to 1024 rows", 'input_data_file: "input_0"', "runtime: kserve-tritonserver"],
    "training.md": ["TableNetwork"],
    "large-tables.md": ["StoredData(binary, 2 features, 10000 rows"],
    "scikit-learn.md": [
        "right after", "['dropout', 'hidden']", "'sent': 'datetime'", "Exported('packages/arrival', binary, 4 features",
        "True\nTrue", "PackageClassifier(path='packages/arrival')", "(1, 2)",
    ],
    "drift.md": ["beside 400 rows of training", "row 3 of today.csv", '"prediction"', "much"],
    "report.md": ["runs/mine.html", "['x"],
    "error-bounds.md": ["labels are certified", "(2, 1)\n[ True  True]"],
    "proof.md": ["[ True  True]\n(1, 1)", "certified in bfloat16", "[ True  True]\n(2, 1)"],
}  # fmt: skip
"""What a guide prints, so that a block that does nothing is found."""


def runs(guide: Path) -> bool:
    return any(language in LANGUAGES and not left_out for language, _, left_out in blocks(guide.read_text()))


RUNNING = [guide for guide in GUIDES if runs(guide)]


@pytest.fixture(scope="module")
def commands(warm: WarmProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ``parity`` and a ``python -c`` that run in forks of the warm process."""
    folder = tmp_path_factory.mktemp("commands")
    for name in ("parity", "python"):
        (folder / name).write_text(f'#!/bin/sh\nexec {warm.command} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def environment(commands: Path) -> dict[str, str]:
    """Of a guide: the warm process's commands, this Python's others, and the code that these tests import."""
    path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": python_path(".")}


def test_guides_import_what_these_tests_import(commands: Path, tmp_path: Path) -> None:
    packages = (parity_runtime, parity_training, parity_export)
    found = "print(find_spec('{}').origin)\n"  # importing them takes seconds
    code = "from importlib.util import find_spec\n" + "".join(found.format(each.__name__) for each in packages)
    command = ["bash", "-c", f'python -c "{code}"']
    done = subprocess.run(command, cwd=tmp_path, env=environment(commands), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [package.__file__ for package in packages]


@pytest.mark.parametrize("guide", sampled(RUNNING, {guide.name for guide in RUNNING} - LONG, lambda guide: guide.name))
def test_a_guide_runs_as_it_stands(warm: WarmProcess, commands: Path, guide: Path, tmp_path: Path) -> None:
    for folder in ("tests/data", "examples/elementary"):
        ignored = shutil.ignore_patterns("node_modules")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    if guide.name == "README.md":  # its Python goes on where `make demo` ended
        shutil.copytree(ROOT / "tests/data/xor_certified", tmp_path / "packages" / "xor")
    script = tmp_path / "run.py"
    script.write_text(RUN.format(root=str(ROOT), guide=str(guide)))
    done = warm.run([], cwd=tmp_path, environment=environment(commands), script=script)
    assert done.returncode == 0, done.out[-2000:] + done.err[-2000:]
    for line in SAYS.get(guide.name, []):
        assert line in done.out, done.out


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_block_says_what_it_is(guide: Path) -> None:
    for language, code, _ in blocks(guide.read_text()):
        assert language in LANGUAGES | {"json", "text"}, code


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_test_that_runs_a_block_elsewhere_is_there(guide: Path) -> None:
    named = re.findall(r"<!-- not run: .*?\b(tests/[\w/]+(?:\.py)?)", guide.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_link_leads_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", guide.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        file = (guide.parent / path).resolve() if path else guide
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


def test_every_option_is_in_some_guide() -> None:
    text = "".join(guide.read_text() for guide in GUIDES)
    found = [(name, parity.get_command(Context(parity), name)) for name in parity.list_commands(Context(parity))]
    found += [(name, inner) for _, one in found if isinstance(one, Group) for name, inner in one.commands.items()]
    for name, command in found:
        assert command is not None
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if not re.search(rf"{option}(?![\w-])", text)] == [], name


def test_the_readme_shows_what_make_demo_says() -> None:
    shown, *_ = [code for language, code, _ in blocks((ROOT / "README.md").read_text()) if language == "text"]
    steps = [line for line in shown.splitlines() if re.match(r"\d\. ", line)]
    makefile = (ROOT / "Makefile").read_text()
    assert len(steps) >= 4 and [step for step in steps if f'@echo "{step}"' not in makefile] == []


def test_every_file_that_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = ("runtime", "training", "export", "tests", "benchmarks", "examples")  # others write elsewhere meanwhile
    known = {path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*.py")}
    named = [name for name in re.findall(r"`([\w/]+\.py)`", text) if "NAME" not in name]
    assert named and [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in known)] == []
