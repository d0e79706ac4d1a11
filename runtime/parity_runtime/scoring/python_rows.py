"""A batch of Python's own rows through a predictor: its outputs, and the errors of rows that have none."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract, is_encoded
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays, table_inputs
from parity_runtime.inference.output_validation import NO_FINITE_OUTPUT, rows_without_answer
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.faulty_rows import (
    Faults,
    refuse_text_columns,
    row_count,
    taken_columns,
    taken_names,
    without_faulty_rows,
)
from parity_runtime.scoring.row_outputs import kept_outputs, null_outputs, output_rows
from parity_runtime.scoring.score_chunk import Errors

Look = Callable[[Any, Arrays], object]
"""Looks at rows of columns of several kinds, as they were given, and the graph's inputs for them."""


def answer_rows(predictor: Predictor, batch: Any, errors: Errors, look: Look) -> tuple[Arrays, Faults]:
    """Return the outputs for a batch.

    A batch that is whole is answered at once; only one that is refused for a row's sake is taken apart.

    Args:
        predictor: of a model whose rows do not influence one another, unless ``errors`` is ``raise``.
        batch: rows as `Predictor.predict` takes them, or a mapping of the model's inputs.
        errors: what becomes of a row that cannot be predicted.
        look: sees the rows before they are answered, where the model takes columns of several kinds.

    Returns:
        Every output by name: of all rows with ``null`` (`null_outputs`), else of those that have an answer. And the
        errors of the others, by their place in the batch, in order.

    Raises:
        InputError: a row cannot be read, with ``raise``; or the fault is no row's.
        ConformanceError: the graph predicts a label that is no class of the contract.
    """
    contract = predictor.contract
    try:
        outputs = predictor.run(_looked_at(contract, batch, look))
    except InputError as error:
        if errors == "raise" or error.row is None:
            raise
        refused = error
    else:
        if errors == "raise":
            return outputs, {}
        answered = np.ones(output_rows(contract, outputs), np.bool_)
        return _finite(contract, outputs, answered, {}, errors)
    outputs, faults, answered = _taken_apart(predictor, batch, refused, look)
    return _finite(contract, outputs, answered, faults, errors)


def _taken_apart(
    predictor: Predictor, batch: Any, error: InputError, look: Look
) -> tuple[Arrays, Faults, NDArray[np.bool_]]:
    """Return the outputs of the rows that are accepted, the errors of the others, and which are, bool ``[rows]``."""
    contract = predictor.contract
    taken = taken_names(contract)
    refuse_text_columns(contract, batch, error)

    def answer(rows: Any) -> Arrays:
        try:
            return predictor.run(_looked_at(contract, rows, look))
        except InputError as other:
            refuse_text_columns(contract, batch, other)
            raise

    return without_faulty_rows(answer, taken_columns(batch, taken), row_count(batch, taken), error)


def _looked_at(contract: ModelContract, batch: Any, look: Look) -> Any:
    """Return what `Predictor.run` takes; rows of columns of several kinds are looked at."""
    names = [spec.name for spec in contract.inputs]
    if not is_encoded(contract):
        return {names[0]: batch} if len(names) == 1 else batch
    if isinstance(batch, Mapping) and set(batch) == set(names):
        return batch
    inputs = table_inputs(contract, batch)
    look(batch, inputs)
    return inputs


def _finite(
    contract: ModelContract, outputs: Arrays, answered: NDArray[np.bool_], faults: Faults, errors: Errors
) -> tuple[Arrays, Faults]:
    """Return the outputs of rows that have finite ones, or of all with ``null``; and the errors of all others.

    Args:
        contract: of the model.
        outputs: of the rows that were accepted.
        answered: which they are, bool ``[rows]``; those whose outputs are not finite are taken out.
        faults: the errors of the others.
        errors: ``skip`` or ``null``.
    """
    odd = rows_without_answer(contract, outputs)
    if len(odd):
        ran = np.flatnonzero(answered)
        outputs = kept_outputs(contract, outputs, np.delete(np.arange(len(ran)), odd))
        answered[ran[odd]] = False
        more = {int(place): InputError(NO_FINITE_OUTPUT) for place in ran[odd]}
        faults = dict(sorted((faults | more).items()))
    return (outputs if errors == "skip" else null_outputs(contract, outputs, answered)), faults
