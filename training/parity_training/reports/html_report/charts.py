"""The pictures of a page, drawn from evaluation.json as those of ``parity plot`` are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from parity_training.recipe import Recipe
from parity_training.reports.calibration_plot import draw_calibration
from parity_training.reports.confusion_plot import draw_confusion
from parity_training.reports.curve_plots import draw_precision_recall, draw_roc
from parity_training.reports.feature_plots import draw_dependence, draw_importance
from parity_training.reports.html_report.facts import Facts
from parity_training.reports.html_report.inline_svg import inline_svg
from parity_training.reports.loss_plot import draw_loss, kept_epoch, loss_label
from parity_training.reports.part_names import PARTS
from parity_training.reports.regression_plots import draw_residuals


@dataclass(frozen=True)
class Chart:
    """A picture of a page.

    Attributes:
        svg: the element.
        caption: a sentence under it.
    """

    svg: Markup
    caption: str = ""


def charts(facts: Facts) -> dict[str, list[Chart]]:
    """Return the pictures of each section that has some."""
    found = facts.evaluation
    drawn: dict[str, list[Chart]] = {}
    if facts.recipe is not None and facts.epochs:
        drawn["loss"] = [_chart(_loss(facts, facts.recipe), "loss", "The loss of each epoch.")]
    if "confusion" in found:
        rows = PARTS[found["part"]]
        figure = draw_confusion(found["confusion"], facts.contract.classes, rows)
        drawn["confusion"] = [_chart(figure, "confusion", "Which classes are predicted as which.")]
    makers: dict[str, dict[str, tuple[Callable[[dict[str, Any]], Figure], str]]] = {
        "curves": {
            "roc": (draw_roc, "The receiver operating characteristic."),
            "precision": (draw_precision_recall, "Precision over recall."),
        },
        "calibration": {"calibration": (draw_calibration, "How often a class occurs, over its predicted probability.")},
        "residuals": {"residuals": (draw_residuals, "True over predicted values, and their differences.")},
        "importance": {"importance": (draw_importance, "The importance of the features.")},
    }
    for section, kinds in makers.items():
        if _has(found, section):
            drawn[section] = [_chart(make(found[section]), name, told) for name, (make, told) in kinds.items()]
    partial = found.get("partial_dependence", {})
    places = range(len(partial.get("features", ())))
    if places:
        told = "What is predicted on average for the values of a feature."
        drawn["dependence"] = [_chart(draw_dependence(partial, place), f"dependence{place}", told) for place in places]
    return drawn


def _has(evaluation: dict[str, Any], section: str) -> bool:
    """Whether a section has something to draw: features, a histogram of finite residuals, a curve."""
    told = {"importance": "features", "residuals": "histogram"}.get(section)
    found = evaluation.get(section)
    if section == "curves" and found:
        return bool(found["roc"]["classes"] or found["precision_recall"]["classes"])
    return bool(found if told is None or not found else found.get(told))


def _chart(figure: Figure, name: str, told: str) -> Chart:
    return Chart(inline_svg(figure, name, told), told)


def _loss(facts: Facts, recipe: Recipe) -> Figure:
    label = loss_label(recipe.training, facts.contract.task)
    return draw_loss(facts.epochs, label, kept_epoch(facts.epochs, facts.evaluation))
