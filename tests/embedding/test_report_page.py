"""The page of ``parity report``, in a real headless Chromium: on a phone, in the dark, printed."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_training import NetworkChoice, TableDataset, TableSettings, TrainSettings, table_data, train_model
from parity_training.reports.html_report.write_report import write_report
from tests.embedding.test_browser import CHROMIUM
from tests.soak import sampled
from tests.training.tables import classes_table, prices_table, write_table

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


def mixed(path: Path) -> Path:
    """A table with columns of every kind, and names that are long."""
    random = np.random.default_rng(0)
    rows = 600
    age, job = (
        random.integers(18, 80, rows),
        random.choice([f"an occupation of some kind, {index}" for index in range(9)], rows),
    )
    since = np.datetime64("2019-01-01") + random.integers(0, 1500, rows)
    member = random.choice(["true", "false"], rows)
    kind = np.where(age + 20 * (member == "true") + random.normal(0, 9, rows) > 60, ">50K", "<=50K")
    columns = {
        "age": age,
        "occupation, as it was said on the form": [f'"{name}"' for name in job],
        "since": since,
        "member": member,
        "a_name_without_a_single_place_to_break_it_anywhere": age * 2,
        "kind": kind,
    }
    header = {f'"{name}"': column for name, column in columns.items()}
    return write_table(path, header)  # type: ignore[arg-type]


def classes(count: int, rows: int) -> Callable[[Path], Path]:
    names = tuple(f"a rather long name of a class: {index}" for index in range(count))
    return lambda path: classes_table(path, rows, names)


TABLES = {
    "two classes of a mixed table": mixed,
    "a hundred classes": classes(100, 2500),
    "twelve classes": classes(12, 400),
    "a regression": prices_table,
}


@pytest.fixture(scope="module", params=sampled(TABLES, {"two classes of a mixed table", "a hundred classes"}))
def looked(request: pytest.FixtureRequest, javascript_examples: Path, tmp_path_factory: Any) -> list[dict[str, Any]]:
    """What a browser finds on the page of a run over a table, in four windows."""
    folder = tmp_path_factory.mktemp("page")
    path = TABLES[request.param](folder / "t.csv")
    chosen = TableSettings("price" if request.param == "a regression" else "kind",
                           task=None if request.param == "a regression" else "classification")  # fmt: skip
    problem = table_data(TableDataset(path, chosen), chosen, "t")
    run = train_model(problem, NetworkChoice(), TrainSettings(epochs=4), folder / "run")
    page = write_report(run.path)
    browser = javascript_examples / "browser"
    shutil.copy(Path(__file__).parent / "report_page.mjs", browser)
    command = ["node", "report_page.mjs", page.absolute().as_uri()]
    environment = os.environ | {"CHROMIUM": str(CHROMIUM)}
    done = subprocess.run(command, cwd=browser, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert [one["width"] for one in found] == [1100, 1100, 360, 360]
    return found


def luminance(color: list[float]) -> float:
    """The relative luminance of a colour (WCAG 2.1)."""
    parts = [part / 255 for part in color[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one: list[float], other: list[float]) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_page_loads_nothing_and_fits_every_window(looked: list[dict[str, Any]]) -> None:
    for one in looked:
        assert one["problems"] == [] and one["overflow"] <= 0, one
        assert not one["cut"], one  # what a metric means is read without scrolling sideways
        assert one["charts"] >= 4 and (one["doubled"], one["broken"]) == (0, 0), one
        assert one["tallest"] < 250, one  # no column is squeezed until its words stand one letter a line
        assert one["smallest"] >= 8, one  # pixels of a line of text in a chart


def test_text_can_be_read_in_the_light_and_in_the_dark_and_paper_is_white(looked: list[dict[str, Any]]) -> None:
    for one in looked:
        assert (luminance(one["background"]) < 0.1) == (one["colorScheme"] == "dark"), one
        assert contrast(one["ink"], one["background"]) > 7 and contrast(one["chartInk"], one["background"]) > 7, one
        assert luminance(one["printed"]) > 0.9, one
