"""What the pictures of an evaluation show, and what they say that they leave out."""

import json
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from parity_training import (
    NetworkChoice,
    Run,
    TableDataset,
    TableSettings,
    TrainSettings,
    XORSettings,
    table_data,
    train_model,
    train_xor,
)
from parity_training.diagnostics.calibration import calibration
from parity_training.diagnostics.curves import curves
from parity_training.reports.calibration_plot import draw_calibration
from parity_training.reports.confusion_plot import draw_confusion, most_confused
from parity_training.reports.curve_plots import draw_precision_recall, draw_roc
from parity_training.reports.feature_plots import draw_dependence, draw_dependences, draw_importance
from parity_training.reports.figures import class_name, class_names, png
from parity_training.reports.loss_plot import draw_loss, kept_epoch
from parity_training.reports.number_text import short
from parity_training.reports.run_plots import plot_run, run_figures
from parity_training.reports.test_predictions import predict_test_rows
from tests.training.tables import classes_table, write_table

HOSTILE = ("<script>", "two\nlines", "$x_1$", "\u202eright to left", "word " * 2000, "日本", "a" * 10_000)


def epochs(*losses: float, validated: bool = True) -> list[dict[str, Any]]:
    return [
        {"epoch": epoch, "loss": loss, "validation_loss": loss if validated else None}
        | ({"accuracy": 0.5} if validated else {})
        for epoch, loss in enumerate(losses, 1)
    ]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def drawn_classes(count: int, rows: int = 600) -> dict[str, Any]:
    random = np.random.default_rng(0)
    true, probabilities = random.integers(0, count, rows), random.dirichlet(np.ones(count), rows)
    return {
        "curves": curves(true, probabilities, tuple(range(count))),
        "calibration": calibration(true, probabilities.argmax(axis=1), probabilities, tuple(range(count))),
    }


def test_the_loss_stands_on_a_log_axis_and_the_kept_epoch_is_marked() -> None:
    lines = epochs(3.0, 0.1, 0.2)
    assert kept_epoch(lines, {}) == 2
    assert kept_epoch(lines, {"ended": {"best_epoch": 3}}) == 3
    figure = draw_loss(lines, "mean loss", 2)
    assert figure.axes[0].get_yscale() == "log" and len(figure.axes) == 2
    assert "the weights of epoch 2 are kept" in legend(figure)
    assert {line.get_linestyle() for axes in figure.axes for line in axes.lines} == {"-"}
    png(figure)
    named = {label.get_text() for axis in (figure.axes[0].yaxis,) for label in axis.get_ticklabels(which="both")}
    assert not any("e-" in label or "times" in label for label in named)


def test_a_metric_that_was_not_measured_is_not_drawn() -> None:
    lines = epochs(3.0, 0.0, validated=False)
    assert kept_epoch(lines, {}) is None
    figure = draw_loss(lines, "mean loss", None)
    assert len(figure.axes) == 1 and legend(figure) == ["loss of the training rows"]
    assert figure.axes[0].get_yscale() == "linear"  # a loss of 0 has no logarithm
    png(figure)


def test_a_cell_of_the_confusion_has_its_count_and_its_share_of_the_true_class() -> None:
    figure = draw_confusion([[3, 1], [0, 0]], ["no", "yes"], "held-out rows")
    assert texts(figure) == ["3\n75%", "1\n25%", "0", "0"]
    assert figure.get_suptitle() == "3 of 4 held-out rows are right"


def test_of_many_classes_the_most_frequent_mistakes_are_bars() -> None:
    confusion = np.eye(100, dtype=int) * 10
    confusion[3, 4], confusion[9, 3], confusion[50, 51] = 10, 5, 1
    assert most_confused(confusion) == [(3, 4), (9, 3), (50, 51)]
    figure = draw_confusion(confusion.tolist(), [f"kind {index}" for index in range(100)], "rows")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "kind 3 as kind 4", "kind 9 as kind 3", "kind 50 as kind 51"
    ]  # fmt: skip
    assert texts(figure) == ["10 (50%)", "5 (33%)", "1 (9%)"]
    confusion[:] = 1
    figure = draw_confusion(confusion.tolist(), [f"kind {index}" for index in range(100)], "rows")
    assert "9885 more pairs are not drawn" in figure.get_supxlabel()
    perfect = draw_confusion(np.eye(20, dtype=int).tolist(), list(range(20)), "rows")
    assert texts(perfect) == ["no class is mistaken for another"]


@pytest.mark.parametrize("count", [2, 6, 12])
def test_long_names_of_classes_do_not_collide(count: int) -> None:
    names = [f"A rather long name of a class, number {index:02d}" for index in range(count)]
    figure = draw_confusion(np.eye(count, dtype=int).tolist(), names, "rows")
    png(figure)
    axes = figure.axes[0]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(shown)) == count and all(name[-2:] in text for name, text in zip(names, shown, strict=True))
    assert not any(
        one.get_window_extent().overlaps(other.get_window_extent())
        for one, other in combinations(axes.get_yticklabels(), 2)
    )
    across = axes.get_xticklabels()
    if count > 2:
        assert all(label.get_rotation() == 40 for label in across)
        places = [axes.transData.transform((index, 0))[0] for index in range(count)]
        size = across[0].get_fontsize() * figure.dpi / 72
        assert min(np.diff(places)) * np.sin(np.radians(40)) > size  # lines of text side by side
    width = figure.bbox.width
    assert all(label.get_window_extent().x0 >= 0 and label.get_window_extent().x1 <= width for label in across)


def test_names_are_printable_short_and_told_apart() -> None:
    assert class_name("$5") == r"\$5" and class_name(3) == "3"
    names = class_names(HOSTILE)
    assert all(len(name) <= 40 and name.replace(r"\$", "").isprintable() for name in names)
    same = class_names([f"{'a' * 20}{index}{'b' * 20}" for index in range(3)])
    assert len(set(same)) == 3
    assert class_names(["ab", "ab"]) == ["ab [0]", "ab [1]"]


def test_a_name_in_one_picture_is_no_other_class_in_the_next() -> None:
    classes = [f"A rather long name of a class, which is number {index} of twelve" for index in range(12)]
    for shown in (classes, classes[::-1], classes[3:8]):
        names = dict(zip(shown, class_names(shown), strict=True))
        assert all(f" {label.split()[-3]} of" in name and "[" not in name for label, name in names.items()), names


def test_the_picture_of_the_first_target_has_its_own_figures(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 200).round(3)
    path = write_table(tmp_path / "t.csv", {"x": x, "large": 100 * x, "small": -x})
    chosen = TableSettings(("large", "small"))
    run = train_model(table_data(TableDataset(path, chosen), chosen, "t"), NetworkChoice(), TrainSettings(epochs=2),
                      tmp_path / "run")  # fmt: skip
    title = run_figures(run, None)["predictions.png"].axes[0].get_title()
    rmse = run.evaluation()["targets"]["large"]["rmse"]
    assert title.startswith(f"RMSE {rmse:.4g},") and rmse != pytest.approx(run.evaluation()["rmse"], rel=0.1)


def test_a_price_of_millions_is_written_without_an_exponent() -> None:
    assert [short(value) for value in (1_234_567.8, -2e8, 3e9, 999.5)] == ["1234568", "-200000000", "3e+09", "999.5"]


def test_features_on_pages_share_an_axis_and_a_long_label_stays_within_the_picture() -> None:
    features = [
        {"name": name, "kind": "numeric", "values": [0, 1], "outputs": [{"class": "a", "means": means}]}
        for name, means in (("strong", [0.1, 0.9]), ("weak", [0.5, 0.51]))
    ]
    partial = {"of": "probability", "features": features}
    ends = [draw_dependence(partial, place).axes[0].get_ylim() for place in range(2)]
    assert ends[0] == ends[1] and ends[0][0] < 0.1 and ends[0][1] > 0.9
    told = [{"name": f"a rather long name, number {index}", "mean": 0.1, "std": 0.01} for index in range(30)]
    figure = draw_importance({"metric": "poisson_deviance", "rows": 9, "features": told, "left_out": 1970})
    figure.set_size_inches(figure.get_size_inches() * 0.8)  # as a page shows it
    figure.canvas.draw()
    box = figure.axes[0].xaxis.label.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width and "1980 that" in figure.axes[0].get_xlabel()


def test_the_ticks_of_large_numbers_do_not_collide() -> None:
    output = {"target": "price", "means": [1.0, 2.0]}
    features = [{"name": "mileage", "kind": "numeric", "values": [0, 400_000], "outputs": [output]}] * 2
    figure = draw_dependences({"of": "value", "features": features})
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels() if label.get_text()]
    assert len(boxes) > 2 and all(left.x1 < right.x0 for left, right in pairwise(boxes)), boxes


def test_any_name_can_be_drawn() -> None:
    count = len(HOSTILE)
    random = np.random.default_rng(0)
    true, probabilities = random.integers(0, count, 50), random.dirichlet(np.ones(count), 50)
    found = curves(true, probabilities, HOSTILE)
    for figure in (
        draw_confusion(np.eye(count, dtype=int).tolist(), HOSTILE, "rows"),
        draw_roc(found),
        draw_precision_recall(found),
        draw_calibration(calibration(true, probabilities.argmax(axis=1), probabilities, HOSTILE)),
    ):
        assert len(png(figure)) > 5000


def test_no_class_is_left_out_of_the_curves_without_a_word() -> None:
    ten, many = drawn_classes(10)["curves"], drawn_classes(30)["curves"]
    for draw in (draw_roc, draw_precision_recall):
        said = legend(draw(ten))
        assert all(any(line.startswith(f"{index}: area") for line in said) for index in range(10))
        widths = [line.get_linewidth() for line in draw(ten).axes[0].lines if ": area" in str(line.get_label())][-10:]
        assert widths == sorted(widths, reverse=True) and len(set(widths)) == 10  # none hides another
        said = legend(draw(many))
        assert "25 more with larger areas are not drawn" in said
        assert any(line.startswith("mean of 30 classes: area") for line in said)


def test_a_class_without_rows_is_named() -> None:
    true, probabilities = np.array([0, 1, 0, 1]), np.full((4, 3), 1 / 3)
    found = curves(true, probabilities, ("cat", "dog", "owl"))
    assert "no curve where a class has every row or none: owl" in legend(draw_roc(found))
    alone = curves(np.zeros(4, int), np.full((4, 2), 0.5), ("cat", "dog"))
    assert "no curve where a class has every row or none: dog" in legend(draw_roc(alone))
    png(draw_precision_recall(alone))


def test_calibration_is_drawn_by_class_and_with_its_rows() -> None:
    figure = draw_calibration(drawn_classes(30)["calibration"])
    said = legend(figure)
    assert "25 classes with smaller errors: not drawn" in said and sum(": error" in line for line in said) == 6
    assert figure.axes[1].get_ylabel() == "rows"
    two = draw_calibration(drawn_classes(2)["calibration"])
    assert sum(": error" in line for line in legend(two)) == 1
    png(two)


def test_bars_of_importance_stop_at_twenty_and_say_so() -> None:
    features = [{"name": f"column {index}", "mean": 100.0 - index, "std": None} for index in range(30)]
    figure = draw_importance({"metric": "rmse", "rows": 9, "features": features, "left_out": 70})
    assert len(figure.axes[0].patches) == 20 and "\n80 that matter less are not drawn" in figure.axes[0].get_xlabel()


def test_every_kind_of_feature_has_its_panel() -> None:
    outputs = [{"class": "yes", "means": [0.1, 0.2]}, {"class": "no", "means": [0.4, 0.3]}]
    kinds = {"numeric": [1.0, 2.0], "boolean": [0.0, 1.0], "categorical": ["a", None], "code": ["1", "2"],
             "datetime": ["2020-01-31T00", "2021-02-28T23"]}  # fmt: skip
    features = [{"name": kind, "kind": kind, "values": values, "rows": [1, 1], "outputs": outputs}
                for kind, values in kinds.items()]  # fmt: skip
    figure = draw_dependences({"rows": 2, "of": "probability", "features": features})
    png(figure)
    assert [axes.get_xlabel() for axes in figure.axes[:5]] == list(kinds)
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == ["a", "(missing)"]
    assert legend(figure) == ["yes", "no"]


def test_a_run_of_an_earlier_version_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    run = train_xor(tmp_path / "run", XORSettings(size=200, epochs=2))
    new = {path.name for path in plot_run(run)}
    evaluation = json.loads((run.path / "evaluation.json").read_text())
    sections = ("curves", "calibration", "importance", "partial_dependence", "worst_rows")
    run.write_json("evaluation.json", {name: value for name, value in evaluation.items() if name not in sections})
    before = (run.path / "roc.png").read_bytes()
    assert {path.name for path in plot_run(run)} == new - {"importance.png", "partial_dependence.png"}
    assert (run.path / "roc.png").read_bytes() == before


def test_training_rows_are_not_called_held_out(tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv", 100)
    settings = TableSettings("kind", validation=0, test=0)
    data = table_data(TableDataset(path, settings), settings, "t")
    run: Run = train_model(data, NetworkChoice(), TrainSettings(epochs=2), tmp_path / "run")
    evaluation = json.loads((run.path / "evaluation.json").read_text())
    assert evaluation["part"] == "train" and evaluation["rows"] == 100
    rows = predict_test_rows(run)
    for name, figure in run_figures(run, None).items():
        shown = [figure.get_suptitle()]
        for axes in figure.axes:
            shown += [axes.get_title(), *axes.get_legend_handles_labels()[1]]
        assert not any("held-out" in text for text in shown), name
    assert len(rows.true) == 100


@pytest.mark.parametrize("hours", [1, 30, 24 * 40, 24 * 400, 24 * 2000, 24 * 365 * 200])
def test_dates_of_any_spread_have_an_axis(hours: int) -> None:
    dates = [str(np.datetime64("2019-01-01T00") + np.timedelta64(hours * step // 7, "h")) for step in range(8)]
    outputs = [{"target": "price", "means": [float(step) for step in range(8)]}]
    feature = {"name": "day", "kind": "datetime", "values": dates, "rows": [1] * 8, "outputs": outputs}
    figure = draw_dependences({"rows": 2, "of": "value", "features": [feature]})
    png(figure)
    assert 2 <= sum(bool(label.get_text()) for label in figure.axes[0].get_xticklabels()) <= 14
