"""Tables in parts, evaluated by an engine's workers: counts and sums of each part, which merge exactly."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from parity_runtime.drift.table_counts import TableCounts
from parity_runtime.engines.engine import Engine, absolute
from parity_runtime.engines.part_work import check_seen
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.evaluation.evaluate import Evaluation
from parity_runtime.evaluation.evaluate_parts import check_files
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.scoring.folder_job import part_table
from parity_runtime.scoring.score_table import chunk_size
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_parts import TablePart, table_parts


@dataclass
class EvaluatedPart:
    """What is known from a part. It pickles without the model.

    Attributes:
        number: of the part.
        evaluation: of its rows.
        counts: of its rows.
        notes: what is to be said of its table.
    """

    number: int
    evaluation: Evaluation
    counts: TableCounts
    notes: list[str]


@dataclass(frozen=True)
class EvaluationWork:
    """Evaluates parts on a worker. It pickles without the model.

    Attributes:
        worker: whose predictor answers.
        reading: how the parts are written.
        target: the column of the true values; None for the contract's, of several all of them.
        counts: of no row.
    """

    worker: WorkerPredictor
    reading: ReadOptions
    target: str | None
    counts: TableCounts

    def __call__(self, part: TablePart) -> EvaluatedPart:
        """Evaluate one part.

        Raises:
            InputError: as `parity_runtime.evaluation.evaluate.evaluate_chunks`, but for a table without rows; or this
                worker does not see the table, or has another version of Parity, or cannot read the package.
            DigestError: the package is another one than the driver's.
        """
        predictor = self.worker.open()
        check_seen(part.path)
        counts, notes = self.counts.empty(), list[str]()
        unknown = UnknownCategories(predictor.contract)

        def observe(inputs: Arrays, outputs: Arrays, true: NDArray[Any]) -> None:
            if not counts.rows and (problem := unknown.problem(inputs)):
                notes.append(f"{part.path}: {problem}")
            counts.update_evaluated(inputs, outputs, true)

        table = replace(part_table(predictor.contract, part, self.reading), tell=notes.append)
        evaluation = self.evaluation(predictor)
        evaluation.update(predictor, table.chunks(chunk_size(predictor.contract, None)), observe)
        return EvaluatedPart(part.number, evaluation, counts, notes)

    def evaluation(self, predictor: Predictor) -> Evaluation:
        """Return the evaluation of no row yet, which takes those of all parts."""
        return Evaluation(predictor.contract, self.target, binned=True, trained=self.counts.known_of_targets())


def evaluate_with(
    engine: Engine, predictor: Predictor, tables: Sequence[str], work: EvaluationWork
) -> tuple[Evaluation, list[str]]:
    """Evaluate all tables, each on some worker.

    Args:
        engine: runs the parts; it is opened when they have been looked at.
        predictor: the driver's.
        tables: folders, globs and files; all workers see them under the same paths.
        work: what is done with each; its counts take those of all rows.

    Returns:
        What is known from all rows, and what is to be said of the first table.

    Raises:
        ParityError: as `EvaluationWork`, or as `Engine.map`.
    """
    parts = absolute(table_parts(tables, work.reading.format))
    check_files(predictor, [part_table(predictor.contract, part, work.reading) for part in parts], work.target)
    whole, notes = work.evaluation(predictor), list[str]()
    with engine, closing(engine.map(replace(work, counts=work.counts.empty()), parts)) as results:
        for found in results:
            whole.merge(found.evaluation)
            work.counts.merge(found.counts)
            notes += found.notes if found.number == 1 else []
    return whole, notes
