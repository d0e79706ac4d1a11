"""The browser example, in a real headless Chromium."""

import csv
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from parity_export.error_bounds.registry import ELEMENTARY
from tests.embedding.cells import REFUSED, TABLES, CellTable
from tests.embedding.conftest import DAMAGES, NO_CLASS, change_expected, run_line
from tests.embedding.parcels import CELL_ROWS, PARCELS, check_inputs, check_outputs
from tests.embedding.rare import CASES, ROWS, check_probabilities
from tests.embedding.test_view import viewing
from tests.embedding.weights import weights_package
from tests.shared import made_once
from tests.soak import sampled

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def site(javascript_examples: Path) -> Iterator[tuple[Path, str]]:
    """The page's folder and its address on a plain static server."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    folder = javascript_examples / "browser"
    subprocess.run(["npm", "run", "vendor"], cwd=folder, check=True, capture_output=True)
    with serving(folder) as address:
        yield folder, address


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A plain static server over a folder: its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """A test has no use for the log."""


@pytest.fixture
def check(site: tuple[Path, str], tmp_path: Path):  # type: ignore[no-untyped-def]
    """Open the page over a package and say whether it does what is expected."""
    folder, address = site

    def run(package: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        shutil.rmtree(folder / "package", ignore_errors=True)
        shutil.copytree(package, folder / "package")
        picture = tmp_path / "page.png"
        picture.unlink(missing_ok=True)
        command = ["node", "check.mjs", f"{address}?package=package", str(picture), *options]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert picture.is_file() == (done.returncode == 0)
        return done

    return run


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("xor", [], marks=pytest.mark.soak), ("xor", ["--dark", "--width", "360"]), ("iris", []),
        pytest.param("iris", ["--width", "360"], marks=pytest.mark.soak),
        pytest.param("shop", [], marks=pytest.mark.soak), ("shop", ["--width", "360"]),
    ],
)  # fmt: skip
def test_the_boundary_is_painted_and_a_click_is_predicted(
    check, packages: dict[str, Path], name: str, options: list[str]
) -> None:
    done = check(packages[name], *options)
    assert done.returncode == 0, done.stderr
    assert "results agree" in done.stdout and "probability" in done.stdout and "ertified" in done.stdout
    assert "an emptied field has no prediction; the uncertified band is found; 1e30 is marked as" in done.stdout
    wanted = "3 choices are predicted; a date and a missing one are predicted"
    assert (wanted in done.stdout) == (name == "shop")


@pytest.mark.parametrize("width", ["390", "1100"])
def test_long_names_with_markup_in_them_stay_within_the_page(check, marked_package: Path, width: str) -> None:
    done = check(marked_package, "--expect", "heat", "--width", width)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def marked_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression of three features, whose names are markup."""

    def make(folder: Path) -> None:
        names = [f"<img src=x onerror=document.title={place}> {'very ' * 20}long" for place in "abc"]
        random = np.random.default_rng(0)
        rows = [[*row, row @ [1, 2, 3]] for row in random.normal(size=(100, 3))]
        with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[*names, "<b>y</b>"], *rows])
        run_line(folder, "train t.csv --target <b>y</b> --out run --epochs 30", "export run marked --no-plots")

    return made_once(tmp_path_factory, "marked", make) / "marked"


def test_parity_view_serves_the_page_that_paints_it(site: tuple[Path, str], packages: dict[str, Path]) -> None:
    folder, _ = site
    with viewing(packages["xor"], folder.parent) as (_, url):
        done = subprocess.run(
            ["node", "check.mjs", url], cwd=folder, env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sampled(TABLES, {"told"}))
def test_every_cell_reaches_the_graph_as_it_should(
    check, site: tuple[Path, str], cell_tables: dict[str, CellTable], name: str
) -> None:
    folder, address = site
    table = cell_tables[name]
    shutil.copy(Path(__file__).parent / "cells_in_page.mjs", folder)
    shutil.copytree(table.package, folder / name)
    bad = [(column, cell) for owner, column, cell in REFUSED if owner == name]
    done = subprocess.run(
        ["node", "cells_in_page.mjs", address, name], cwd=folder, input=json.dumps({"rows": table.cells, "bad": bad}),
        env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answers = json.loads(done.stdout)
    assert answers["taken"] == []
    assert np.array_equal(np.array(answers["value"], np.float32).reshape(table.answers.shape), table.answers)
    replayed = check(table.package, "--expect", "curve")  # of its one number
    assert replayed.returncode == 0, replayed.stderr


def test_a_model_whose_ranges_are_unknown_marks_nothing(check, species_package: Path) -> None:
    done = check(species_package)
    assert done.returncode == 0, done.stderr
    assert "no range is known" in done.stdout


def test_a_label_that_is_no_class_is_a_message_and_nothing_else(check, strange_package: Path) -> None:
    done = check(strange_package, "--expect", "late")
    assert done.returncode == 0, done.stderr
    # Which of the two depends on the other number, which a click on the plane has set.
    assert NO_CLASS.format(7) in done.stdout or NO_CLASS.format(8) in done.stdout, done.stdout


@pytest.mark.parametrize("name", sampled(CASES, {"skew"}))
def test_rare_probabilities_are_exact_and_never_fall(
    site: tuple[Path, str], rare_packages: dict[str, Path], name: str
) -> None:
    folder, address = site
    shutil.copy(Path(__file__).parent / "predict_in_page.mjs", folder)
    shutil.copytree(rare_packages[name], folder / name)
    done = subprocess.run(
        ["node", "predict_in_page.mjs", address, name], cwd=folder, input=json.dumps(ROWS[:, 0].tolist()),
        env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for answers in json.loads(done.stdout).values():
        logits, probabilities = (
            np.array(answers[key], np.float32).reshape(len(ROWS), -1) for key in ("logits", "probabilities")
        )
        check_probabilities(name, logits, probabilities)


def test_the_rows_of_parcels_are_read_and_answered_as_recorded(site: tuple[Path, str]) -> None:
    folder, address = site
    shutil.copy(Path(__file__).parent / "parcels_in_page.mjs", folder)
    shutil.copytree(PARCELS, folder / "parcels")
    done = subprocess.run(
        ["node", "parcels_in_page.mjs", address, "parcels"], cwd=folder, input=json.dumps(CELL_ROWS),
        env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answers = json.loads(done.stdout)
    check_inputs(answers["inputs"])
    check_outputs(answers["default"])
    check_outputs(answers["certified"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rent", ["--expect", "heat"]), ("parcels", ["--expect", "curve", "--dark", "--width", "390"]),
        ("series", ["--expect", "table"]),
        pytest.param("rent", ["--expect", "heat", "--dark", "--width", "390"], marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_a_regression_is_colour_one_number_is_a_curve_and_tensors_are_results(
    check, packages: dict[str, Path], name: str, options: list[str]
) -> None:
    done = check(packages[name], *options)
    assert done.returncode == 0, done.stderr


def test_each_label_of_a_multilabel_model_has_its_picture(check, task_packages: dict[str, Path]) -> None:
    done = check(task_packages["multilabel"], "--expect", "labels", "--width", "390")
    assert done.returncode == 0, done.stderr
    assert "a, b, c have a picture each" in done.stdout


@pytest.mark.parametrize("beside", [False, True])
def test_a_folder_that_is_dropped_or_chosen_is_shown_in_place_of_the_one_before(
    site: tuple[Path, str], packages: dict[str, Path], tmp_path: Path, beside: bool
) -> None:
    folder, address = site
    shutil.rmtree(folder / "package", ignore_errors=True)
    if beside:
        shutil.copytree(packages["xor"], folder / "package")
    damaged = Path(shutil.copytree(packages["xor"], tmp_path / "damaged"))
    DAMAGES["a flipped bit"][0](damaged)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no package")
    shutil.copy(Path(__file__).parent / "drop_in_page.mjs", folder)
    dropped = [packages["rent"], damaged, tmp_path / "empty", packages["iris"]]
    done = subprocess.run(
        ["node", "drop_in_page.mjs", address, *map(str, dropped)], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"CHROMIUM": str(CHROMIUM)}, check=True,
    )  # fmt: skip
    rent, bad, none, iris, chosen = map(json.loads, done.stdout.splitlines())
    assert (rent["title"], rent["problem"], rent["fields"]) == ("rent", "", 3)
    assert "model.onnx is not the file that was packaged" in bad["problem"] and bad["plane"] is False
    assert "it has no manifest.json" in none["problem"] and none["plane"] is False
    assert (iris["plane"], iris["fields"], iris["problem"]) == ("The decision boundary", 4, "")
    assert iris["across"].startswith("petal"), "the lengths of sepals say less of a species"
    assert chosen == iris | {"uncaught": []}


def test_a_bare_address_says_what_to_do(site: tuple[Path, str]) -> None:
    folder, address = site
    shutil.rmtree(folder / "package", ignore_errors=True)
    done = subprocess.run(
        ["node", "check.mjs", address, "--expect", "welcome", "--width", "390"], cwd=folder, capture_output=True,
        env=os.environ | {"CHROMIUM": str(CHROMIUM)}, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_weights_in_a_file_of_their_own_are_painted(check, tmp_path: Path) -> None:
    done = check(weights_package(tmp_path))
    assert done.returncode == 0, done.stderr


def test_another_output_than_the_expected_one_is_red(check, packages: dict[str, Path], tmp_path: Path) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "changed"))
    change_expected(package)
    done = check(package, "--expect", "red")
    assert done.returncode == 0, done.stderr
    assert check(package).returncode == 1


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("http://[", "?package=http://[ is not an address"),
        ("//evil.example/x", "http://evil.example/x/ is on another server"),
    ],
)
def test_an_address_of_no_folder_beside_the_page_is_a_message(site: tuple[Path, str], named: str, words: str) -> None:
    folder, address = site
    command = ["node", "check.mjs", f"{address}?package={named}", "--expect", "alert"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


@pytest.mark.parametrize("missing", sampled(["vendor", "vendor/parity-reader", "vendor/noble"], {"vendor/noble"}))
def test_without_what_it_loads_the_page_says_how_to_get_it(
    check, site: tuple[Path, str], packages: dict[str, Path], missing: str
) -> None:
    folder, _ = site
    (folder / missing).rename(folder / "aside")
    try:
        done = check(packages["xor"], "--expect", "alert")
    finally:
        (folder / "aside").rename(folder / missing)
    assert done.returncode == 0, done.stderr
    assert "npm run vendor" in done.stdout


@pytest.mark.parametrize("damage", sampled(DAMAGES, {"a flipped bit", "an older format"}))
def test_a_damaged_package_is_a_message_and_nothing_else(
    check, packages: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "damaged"))
    edit, words = DAMAGES[damage]
    edit(package)
    done = check(package, "--expect", "alert")
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_page_of_elementary_functions_says_that_the_limits_hold(javascript_examples: Path) -> None:
    folder = javascript_examples / "elementary"
    shutil.copy(Path(__file__).parent / "elementary_page.mjs", folder)
    with serving(javascript_examples) as address:
        done = subprocess.run(
            ["node", "elementary_page.mjs", f"{address}elementary/?stride=1000003"], cwd=folder,
            env=os.environ | {"CHROMIUM": str(CHROMIUM)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout.splitlines() == ["The limits hold here.", str(len(ELEMENTARY))]


PALETTE = """
import { classColor } from "./palette.mjs";
console.log(JSON.stringify(Array.from({ length: 60 }, (_, index) => classColor(index))));
"""


def test_no_two_of_many_classes_look_alike(javascript_examples: Path) -> None:
    command = ["node", "--input-type=module", "--eval", PALETTE]
    done = subprocess.run(command, cwd=javascript_examples / "browser", capture_output=True, text=True, check=True)
    colors = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in json.loads(done.stdout)])
    apart = np.abs(colors[:, None] - colors[None]).max(axis=-1)
    assert apart[~np.eye(len(colors), dtype=bool)].min() >= 20


AXES = """
import {{ tellingAxes }} from "./telling_features.mjs";
const features = [0, 0, 0].map((value) => ({{ value, low: 0, high: 1 }}));
const outputs = ([x, y, z]) => {outputs};
const predict = async (line, {{ point, axes: [axis] }}) =>
  ({{ values: line.flatMap(([at]) => outputs(point.map((value, place) => (place === axis ? at : value)))) }});
console.log(JSON.stringify(await tellingAxes({{ features, numbers: [0, 1, 2] }}, [], predict)));
"""


@pytest.mark.parametrize(
    ("outputs", "axes"),
    [
        ("[x * 1e6 + y * 1e5, z]", [0, 2]),  # z decides the second target, whose unit is another one
        ("[x + y / 10 + z / 100]", [0, 1]),
        ("[0, y - z]", [1, 2]),  # a target that never changes says nothing
    ],
)
def test_the_first_axes_are_what_moves_the_targets_most(
    javascript_examples: Path, outputs: str, axes: list[int]
) -> None:
    command = ["node", "--input-type=module", "--eval", AXES.format(outputs=outputs)]
    done = subprocess.run(command, cwd=javascript_examples / "browser", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == axes
