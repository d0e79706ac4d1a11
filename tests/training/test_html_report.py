"""``parity report``: each number is evaluation.json's, nothing is loaded, no text of a table is part of the page."""

import csv
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_export import ExportOptions, export_package, source_from_run
from parity_runtime import FormatError, InputError, Package
from parity_training import NetworkChoice, Run, TableDataset, TableSettings, TrainSettings, table_data, train_model
from parity_training.reports.html_report.facts import read_facts
from parity_training.reports.html_report.model_tables import plain
from parity_training.reports.html_report.write_report import report_page, write_report
from parity_training.reports.metric_table import metrics_in
from parity_training.reports.number_text import short
from tests.soak import sampled
from tests.training.tables import classes_table, prices_table, write_table

CLASSES = ("<script>alert(1)</script>", 'a"onload="alert(2)', "x" * 10_000, "]]>&amp;", "$x^2$", "{{ 7 * 7 }}",
           "</style></svg><img src=http://example.org/x>", "日本")  # fmt: skip
CELLS = (*CLASSES[:4], "two\nlines", "\u202eright to left", "</table>", "plain")


DATA = Path(__file__).parent.parent / "data"


class Page(HTMLParser):
    """What stands on a page: its elements, its text, and the numbers of evaluation.json by their path."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.figures: list[tuple[str, str, str]] = []
        self._figure: dict[str, str | None] | None = None
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._figure = dict(attrs) if tag == "data" else None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._figure is not None:
            self.figures.append((str(self._figure["data-path"]), str(self._figure["value"]), data))
            self._figure = None


def trained(folder: Path, target: str = "kind", epochs: int = 8, **settings: Any) -> Run:
    chosen = TableSettings(target, **settings)
    problem = table_data(TableDataset(folder / "t.csv", chosen), chosen, "t")
    return train_model(problem, NetworkChoice(), TrainSettings(epochs=epochs), folder / "run")


def hostile_table(path: Path, rows: int = 320) -> Path:
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["<b>number</b>", '"><script>', "plain", "kind"])
        for row in range(rows):
            kind = row % len(CLASSES)
            writer.writerow([f"{kind + random.normal():.3f}", CELLS[(kind + row // 40) % len(CELLS)],
                             f"{random.normal():.3f}", CLASSES[kind]])  # fmt: skip
    return path


@pytest.fixture(scope="module")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("three")
    classes_table(folder / "t.csv", classes=("cat", "dog", "owl"))
    return trained(folder)


@pytest.fixture
def copy(three_classes: Run, tmp_path: Path) -> Run:
    shutil.copytree(three_classes.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def check_figures(page: Page, evaluation: dict[str, Any]) -> set[str]:
    """Compare every number of a page with the file, and return their paths."""
    assert page.figures
    for path, value, shown in page.figures:
        found: Any = evaluation
        for step in path[1:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            found = found[int(name) if isinstance(found, list) else name]
        assert (float(value), shown) == (float(found), short(found)), path
    return {path for path, *_ in page.figures}


def check_alone(page: Page) -> None:
    """The page loads nothing, and runs nothing."""
    assert {tag for tag, _ in page.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
    } == set()
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                assert str(value).startswith("#"), (tag, name, value)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_every_number_of_a_classifier_s_page_is_the_one_in_evaluation_json(three_classes: Run) -> None:
    page, evaluation = Page(report_page(read_facts(three_classes.path))), three_classes.evaluation()
    paths = check_figures(page, evaluation)
    check_alone(page)
    assert {metric.name for metric in metrics_in(evaluation)} >= {"accuracy", "log_loss", "roc_auc", "f1"}
    assert {f"/{metric.name}" for metric in metrics_in(evaluation)} | {"/rows"} <= paths
    assert {f"/confusion/{true}/{predicted}" for true in range(3) for predicted in range(3)} <= paths
    assert {f"/importance/features/{place}/mean" for place in range(2)} <= paths
    assert {"/curves/roc/classes/2/area", "/calibration/classes/0/bins/0/0", "/worst_rows/rows/9/loss"} <= paths
    for words in ("held-out rows are right", "Not exported yet", "large", "standardized"):
        assert words in page.text
    assert sum(tag == "svg" for tag, _ in page.tags) >= 7


def test_every_number_of_a_regression_s_page_is_the_one_in_evaluation_json(tmp_path: Path) -> None:
    prices_table(tmp_path / "t.csv")
    run = trained(tmp_path, "price")
    page = Page(report_page(read_facts(run.path)))
    paths = check_figures(page, run.evaluation())
    check_alone(page)
    quantiles = {f"/residuals/quantiles/{share}" for share in run.evaluation()["residuals"]["quantiles"]}
    assert {"/mae", "/rmse", "/r2", "/importance/value"} | quantiles <= paths and len(quantiles) == 7
    assert "RMSE" in page.text and "held-out rows" in page.text and "How far it is off" in page.text


def test_the_same_run_gives_the_same_page_beside_it(copy: Run) -> None:
    first = write_report(copy.path)
    assert first == copy.path.with_name("run.html")
    data = first.read_bytes()
    assert write_report(copy.path) == first and first.read_bytes() == data
    assert len(data) < 500_000


def test_no_text_of_a_table_becomes_part_of_the_page(tmp_path: Path) -> None:
    hostile_table(tmp_path / "t.csv")
    run = trained(tmp_path, task="classification")
    exported = export_package(source_from_run(run), tmp_path / "package", ExportOptions(plots=False, effort="quick"))
    for path in (run.path, exported.path):
        data = report_page(read_facts(path))
        page = Page(data)
        check_alone(page)
        assert "<script>alert(1)</script>" in page.text and "{{ 7 * 7 }}" in page.text
        assert "\u202e" not in data.decode() and "x" * 200 not in page.text
        assert len(data) < 1_000_000


def test_what_other_figures_an_evaluation_holds_is_shown(copy: Run) -> None:
    more = {
        "balanced_accuracy": 0.75, "average_precision": 0.5, "brier": 0.125, "temperature": 1.5,
        "threshold": {"goal": "f1", "value": 0.25, "reached": True, "precision": 0.5, "recall": 0.75},
        "baseline": {"name": "most frequent class", "predicts": "<owl>", "accuracy": 0.375, "log_loss": 1.0625},
        "ended": {"epochs": 8, "best_epoch": 5, "by": "epochs"},
        "folds": {"count": 5, "metrics": {"accuracy": {"mean": 0.875, "std": 0.03125, "values": [0.75, 1.0]}}},
        "targets": {"left": {"rmse": 2.5}, "right": {"rmse": 3.5}},
    }  # fmt: skip
    evaluation = copy.evaluation() | more
    copy.write_json("evaluation.json", evaluation)
    page = Page(report_page(read_facts(copy.path)))
    paths = check_figures(page, evaluation)
    told = ("balanced_accuracy", "brier", "baseline/accuracy", "ended/best_epoch", "threshold/value", "temperature")
    assert {f"/{path}" for path in (*told, "folds/metrics/accuracy/values/1", "targets/right/rmse")} <= paths
    assert "always saying <owl>: 37.50%" in page.text and "The limit of epochs ended it." in page.text
    assert "reachedyes" in "".join(page.text.split()) and "True" not in page.text and "False" not in page.text
    check_alone(page)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ({"epochs": 8, "best_epoch": 8, "by": "epochs"}, "epoch 8 are kept. The limit of epochs ended it "
         "while the validation loss was still falling: with more of them it may become better."),
        pytest.param({"epochs": 8, "best_epoch": None, "by": "epochs"},
                     "ended after 8 epochs. The limit of epochs ended it.", marks=pytest.mark.soak),
        ({"epochs": 1, "best_epoch": 1, "by": "patience"}, "after 1 epoch, and the weights of epoch 1 are kept."),
        pytest.param({"epochs": 8}, "Training ended after 8 epochs.", marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_more_epochs_are_advised_only_where_the_last_one_was_the_best(copy: Run, ended: Any, said: str) -> None:
    copy.write_json("evaluation.json", copy.evaluation() | {"ended": ended})
    text = " ".join(Page(report_page(read_facts(copy.path))).text.split())
    assert said in text and ("may become better" in said or "may become better" not in text)


def test_a_baseline_of_the_row_before_is_not_said_to_take_training_rows(copy: Run) -> None:
    found = copy.evaluation()
    copy.write_json("evaluation.json", found | {"baseline": {"name": "last value", "accuracy": 0.5}})
    page = Page(report_page(read_facts(copy.path)))
    assert "what the one before it was" in page.text and "only the training rows" not in page.text


def test_long_names_that_begin_alike_are_told_apart_and_columns_have_one_name_each(tmp_path: Path) -> None:
    classes_table(tmp_path / "t.csv", 300, tuple(f"{'a name that goes on and on' * 4} {index}" for index in range(6)))
    page = Page(report_page(read_facts(trained(tmp_path, epochs=2).path)))
    text = " ".join(page.text.split())
    assert all(f"a name that goes on and on {index} " in text for index in range(6))
    assert text.count("row of the data") == 1 and "Of 6 classes the 4 are drawn whose probability" in text


def test_no_column_of_a_wide_table_is_left_out_without_a_word(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    columns = {f"x{index}": random.normal(size=100).round(3) for index in range(40)}
    write_table(tmp_path / "t.csv", columns | {"kind": np.where(columns["x0"] > 0, "a", "b")})
    text = " ".join(Page(report_page(read_facts(trained(tmp_path, epochs=2).path))).text.split())
    assert "and 10 more" in text and "20 that matter less are not drawn" in text


def test_a_curve_that_cannot_be_drawn_is_a_line_and_no_empty_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = ["no", "no", "yes"] * 4
    write_table(tmp_path / "t.csv", {"a": random.normal(size=12).round(3), "kind": kinds})
    run = trained(tmp_path, epochs=2)
    assert run.evaluation()["rows"] == 1
    page = report_page(read_facts(run.path)).decode()
    assert "There is no curve" in page and "receiver operating" not in page and "Precision over recall" not in page
    assert "Measured on <data" in page and "held-out row." in page


def test_a_list_is_written_as_names_and_not_as_code() -> None:
    assert plain(["left", "right", 3]) == "left, right, 3" and (plain(True), plain(False)) == ("yes", "no")


@pytest.mark.parametrize(
    ("validation", "words"), [(0.0, "the rows that the network was trained on"), (0.3, "decided when training stopped")]
)
def test_a_run_without_test_rows_says_so(tmp_path: Path, validation: float, words: str) -> None:
    classes_table(tmp_path / "t.csv", 100)
    run = trained(tmp_path, validation=validation, test=0.0)
    page = Page(report_page(read_facts(run.path)))
    assert page.text.count(words) == 1 and "held-out rows are right" not in page.text
    check_figures(page, run.evaluation())


def test_a_run_of_an_earlier_version_has_a_shorter_page(copy: Run) -> None:
    found = copy.evaluation()
    sections = ("curves", "calibration", "importance", "partial_dependence", "worst_rows")
    copy.write_json("evaluation.json", {name: value for name, value in found.items() if name not in sections})
    page = Page(report_page(read_facts(copy.path)))
    check_figures(page, found)
    assert "How it ranks the rows" not in page.text and "Which classes are taken for which" in page.text


def test_a_package_has_the_page_of_its_run_without_a_row_s_cells(copy: Run, tmp_path: Path) -> None:
    options = ExportOptions(certified=True, plots=False, effort="quick")
    exported = export_package(source_from_run(copy), tmp_path / "package", options)
    package = Package.open(exported.path)
    kept, found = package.read_json("evaluation.json"), copy.evaluation()
    assert kept.pop("format") == "parity/2" and "cells" in found["worst_rows"]["rows"][0]
    for row in found["worst_rows"]["rows"]:
        del row["cells"]
    assert kept == found
    page = Page(report_page(read_facts(exported.path)))
    run_page = Page(report_page(read_facts(copy.path)))
    check_alone(page)
    assert check_figures(page, kept) == check_figures(run_page, found)
    assert package.id in page.text and "onnxruntime" in page.text and "is certified" in page.text
    card = (exported.path / "README.md").read_text()
    assert "## How good it is on held-out rows" in card and f"| accuracy | {short(found['accuracy'])} |" in card
    assert write_report(exported.path) == tmp_path / "package.html"
    with pytest.raises(FormatError, match="does not list"):
        package.read("test.csv")


def test_a_package_of_a_module_has_a_page_without_metrics() -> None:
    page = Page(report_page(read_facts(DATA / "species")))
    assert "Nothing is known of how good it is" in page.text and not page.figures
    assert "all, 1 thread" in page.text and "1 threads" not in page.text
    assert "target" not in page.text  # the contract names none
    check_alone(page)


def test_the_command_writes_the_page_and_names_it(parity, copy: Run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    answer = parity("report", copy.path, "--out", tmp_path / "pages" / "page.html")
    assert answer.code == 0 and answer.out.strip() == str(tmp_path / "pages" / "page.html")
    assert (tmp_path / "pages" / "page.html").read_bytes() == report_page(read_facts(copy.path))
    assert parity("report", copy.path).out.strip() == str(tmp_path / "run.html")


def test_what_is_no_run_and_no_report_is_one_line(parity, copy: Run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert parity("report", tmp_path / "nothing").is_refused(1, "is neither a run nor a package", "parity train")
    (tmp_path / "mine.html").write_text("my own page")
    assert parity("report", copy.path, "--out", tmp_path / "mine.html").is_refused(1, "is not a report", "--out")
    assert (tmp_path / "mine.html").read_text() == "my own page"
    assert parity("report", copy.path, "--out", tmp_path).is_refused(1, "is a folder", "--out")
    (copy.path / "state_dict.pt").unlink()
    assert parity("report", copy.path).is_refused(1, "did not finish", "--resume")
    assert not (tmp_path / "run.html").exists()


BROKEN: dict[str, Any] = {
    "a list": {"curves": [1]}, "no points": {"curves": {"rows": 3, "roc": {}, "precision_recall": {}}},
    "text": {"accuracy": "good", "confusion": "x"}, "a part": {"part": "all"}, "few counts": {"confusion": [[1]]},
    "importance": {"importance": {"features": [{"name": 3}]}}, "baseline": {"baseline": 3},
    "huge": {"confusion": [[10**400] * 3] * 3}, "worst": {"worst_rows": {"rows": [{"cells": 3}]}},
    "calibration": {"calibration": {"classes": [{"class": 1, "error": None, "bins": []}], "left_out": 0}},
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(BROKEN, {"huge", "text", "importance"}))
def test_a_malformed_evaluation_is_one_sentence(parity, copy: Run, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    copy.write_json("evaluation.json", copy.evaluation() | BROKEN[name])
    for command in (("report", copy.path), ("plot", copy.path)):
        answer = parity(*command)
        if answer.code:
            page = "docs/reference/run-format.md"
            assert answer.is_refused(1, "evaluation.json", f"is not written as {page} says"), answer
    assert parity("report", copy.path).code == 1 or name == "baseline"


def test_a_page_may_be_asked_for_in_python_only_of_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is neither a run nor a package"):
        write_report(tmp_path)


@pytest.mark.slow
def test_a_hundred_classes_fit_on_a_page_of_less_than_two_megabytes(tmp_path: Path) -> None:
    classes_table(tmp_path / "t.csv", 2500, tuple(f"a rather long name of a class: {index}" for index in range(100)))
    run = trained(tmp_path, task="classification", epochs=3)
    data = report_page(read_facts(run.path))
    assert len(data) < 2_000_000
    page = Page(data)
    paths = check_figures(page, run.evaluation())
    assert {f"/confusion/{index}/{index}" for index in range(100)} <= paths
