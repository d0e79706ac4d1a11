"""What evaluation.json holds beside the metrics."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from parity_runtime import ModelContract
from parity_training.data.problem import Problem
from parity_training.diagnostics.calibration import calibration
from parity_training.diagnostics.curves import curves
from parity_training.diagnostics.importance import MOST_ROWS, permutation_importance
from parity_training.diagnostics.partial_dependence import partial_dependence
from parity_training.diagnostics.residuals import residuals
from parity_training.diagnostics.row_losses import Truth
from parity_training.diagnostics.sampled_rows import SampledRows
from parity_training.diagnostics.worst_rows import worst_rows
from parity_training.fitting.evaluation import predicted_of, probabilities_of


def diagnose(
    problem: Problem, contract: ModelContract, model: nn.Module, outputs: Tensor, part: str, table: Path
) -> dict[str, Any]:
    """Return the curves, the calibration or the residuals, what the network looks at, and where it is most wrong.

    Args:
        problem: with the rows; of several targets the first is looked at.
        contract: of the network, with the threshold that was chosen.
        model: the network, on the CPU.
        outputs: what it gives for the rows of ``part``, float32 ``[rows, outputs]``.
        part: ``train``, ``validation`` or ``test``.
        table: test.csv, which holds these rows.

    Returns:
        ``curves`` and ``calibration`` of a classifier, ``residuals`` of a regression; ``importance``,
        ``partial_dependence``, ``worst_rows``. Rows are sampled, by a seed, where all of them would take long. Every
        number is finite or None.
    """
    truth = Truth.of(problem, part, contract.objective)
    rows = SampledRows.of(problem, model, part, truth, MOST_ROWS)
    importance = permutation_importance(rows)
    names = [feature["name"] for feature in importance["features"]]
    told = [feature["name"] for feature in importance["features"] if (feature["mean"] or 0.0) > 0]
    return _of_outputs(contract, truth, outputs) | {
        "importance": importance,
        "partial_dependence": partial_dependence(rows, told),
        "worst_rows": worst_rows(contract, truth, outputs, table, names),
    }


def _of_outputs(contract: ModelContract, truth: Truth, outputs: Tensor) -> dict[str, Any]:
    if not contract.is_classifier:
        return {"residuals": residuals(truth.values, outputs[:, 0].numpy(), contract.targets[0])}
    probabilities = probabilities_of(outputs)
    predicted = predicted_of(outputs, contract.logit_threshold)
    return {
        "curves": curves(truth.values, probabilities, contract.classes),
        "calibration": calibration(truth.values, predicted, probabilities, contract.classes),
    }
