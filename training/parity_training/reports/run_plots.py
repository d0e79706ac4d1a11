"""The plots of a run: what was learned from, how it went, where the classes meet, how well they are told apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import read_json
from parity_training.diagnostics.calibration import calibration
from parity_training.diagnostics.curves import curves
from parity_training.diagnostics.residuals import residuals
from parity_training.fitting.training_log import read_epochs
from parity_training.networks.registry import Network
from parity_training.reports.calibration_plot import draw_calibration
from parity_training.reports.confusion_plot import draw_confusion
from parity_training.reports.curve_plots import draw_precision_recall, draw_roc
from parity_training.reports.feature_plots import draw_dependences, draw_importance
from parity_training.reports.figures import png
from parity_training.reports.loss_plot import draw_loss, kept_epoch, loss_label
from parity_training.reports.part_names import PARTS
from parity_training.reports.plane_plots import draw_boundary, draw_samples
from parity_training.reports.regression_plots import draw_predictions, draw_residuals
from parity_training.reports.test_predictions import HeldOutPredictions, predict_test_rows
from parity_training.run import EVALUATION, Run
from parity_training.well_formed import well_formed


def plot_run(run: Run, user_network: Network | None = None) -> list[Path]:
    """Draw the pictures that fit a run's task into its folder and return their paths.

    Always loss.png, importance.png, and where a feature matters partial_dependence.png; for two features samples.png
    and boundary.png; for a classifier confusion.png, roc.png, precision_recall.png and calibration.png; for a
    regression predictions.png and residuals.png. What stands in evaluation.json is drawn from there. A run of an
    earlier version, which has not measured the importance, gets the others.

    No process replaces the run meanwhile.

    Args:
        run: a finished one.
        user_network: the callable of a run whose network is none of Parity's.

    Raises:
        InputError: the run has not finished, or another process replaces it.
        FormatError: evaluation.json is malformed.
    """
    with run.reading():
        with well_formed(run.path, EVALUATION):
            figures = run_figures(run, user_network)
        return [_save(figure, run.path / name) for name, figure in figures.items()]


def run_figures(run: Run, user_network: Network | None) -> dict[str, Figure]:
    """Return the pictures of a run by the names of their files."""
    rows = predict_test_rows(run, user_network)
    evaluation = read_json(run.path / EVALUATION)
    figures = {"loss.png": _loss(run, evaluation)}
    if rows.contract.is_classifier and rows.is_planar:
        figures |= {"samples.png": draw_samples(rows), "boundary.png": draw_boundary(rows)}
    figures |= _classified(rows, evaluation) if rows.contract.is_classifier else _valued(rows, evaluation)
    if evaluation.get("importance", {}).get("features"):
        figures["importance.png"] = draw_importance(evaluation["importance"])
    if evaluation.get("partial_dependence", {}).get("features"):
        figures["partial_dependence.png"] = draw_dependences(evaluation["partial_dependence"])
    return figures


def _loss(run: Run, evaluation: dict[str, Any]) -> Figure:
    lines = read_epochs(run.path)
    label = loss_label(run.recipe.training, run.recipe.contract.task)
    return draw_loss(lines, label, kept_epoch(lines, evaluation))


def _classified(rows: HeldOutPredictions, evaluation: dict[str, Any]) -> dict[str, Figure]:
    classes = rows.contract.classes
    drawn = _or_made(evaluation, "curves", lambda: curves(rows.true, rows.probabilities, classes))
    believed = _or_made(
        evaluation, "calibration", lambda: calibration(rows.true, rows.predicted, rows.probabilities, classes)
    )
    return {
        "confusion.png": draw_confusion(evaluation["confusion"], classes, PARTS[evaluation["part"]]),
        "roc.png": draw_roc(drawn),
        "precision_recall.png": draw_precision_recall(drawn),
        "calibration.png": draw_calibration(believed),
    }


def _valued(rows: HeldOutPredictions, evaluation: dict[str, Any]) -> dict[str, Figure]:
    predicted, target = rows.outputs[:, 0].numpy(), rows.contract.targets[0]
    metrics = evaluation.get("targets", {}).get(target, evaluation)  # of several targets the first is drawn
    title = f"RMSE {metrics['rmse']:.4g}, R2 {metrics['r2']:.4f}"
    spread = _or_made(evaluation, "residuals", lambda: residuals(rows.true, predicted, target))
    return {"predictions.png": draw_predictions(rows.true, predicted, target, title)} | (
        {"residuals.png": draw_residuals(spread)} if "histogram" in spread else {}
    )


def _or_made(evaluation: dict[str, Any], name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a section of an evaluation; of an earlier version's, which has none, made of its rows."""
    found = evaluation.get(name)
    return found if isinstance(found, dict) else make()


def _save(figure: Figure, path: Path) -> Path:
    write_file(path, png(figure))
    return path
