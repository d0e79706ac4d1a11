"""Arrow record batches through a worker's predictor: the columns that are added are those of ``parity predict``."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument, check_choice
from parity_runtime.contract import ModelContract, certified_contract
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.errors import InputError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider
from parity_runtime.inference.training_range import check_has_ranges
from parity_runtime.scoring.arrow_writer import with_predictions
from parity_runtime.scoring.prediction_columns import (
    OUT_OF_RANGE,
    PredictionColumn,
    prediction_columns,
    prediction_names,
    prefix_way_out,
)
from parity_runtime.scoring.rejected_rows import RejectedRows, way_out_named
from parity_runtime.scoring.score_chunk import Errors, OutsideRange, in_order, score
from parity_runtime.scoring.writer import Layout
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.cell_values import cell_values
from parity_runtime.tables.feature_columns import check_takes_rows, read_inputs
from parity_runtime.tables.text_columns import TextColumns

_OF_WORKER = ("provider", "threads", "allow_operators")


class MoreOptions(TypedDict, total=False):
    """What an engine's functions take beside the columns, the errors and the proof.

    Attributes:
        out_of_range: what becomes of a row outside what the model has seen in training: ``ignore``, ``mark`` or
            ``refuse``.
        prefix: what the names of the added columns begin with.
        reasons: with ``null``, the name of a column behind all others that says why a row has no answer; empty for
            none.
        provider: what the workers' sessions run on: ``cpu``, ``cuda`` or ``auto``.
        threads: within an operator.
        allow_operators: as in `Predictor`.
    """

    out_of_range: OutsideRange
    prefix: str
    reasons: str
    provider: Provider
    threads: int
    allow_operators: Collection[str]


@dataclass(frozen=True)
class BatchScorer:
    """How record batches are answered on a worker. It pickles without the model.

    Attributes:
        worker: whose predictor answers.
        columns: those to give, of the batches' and the answers; empty for all.
        errors: what becomes of a row that cannot be predicted.
        out_of_range: what becomes of a row outside what the model has seen in training.
        prefix: what the names of the added columns begin with.
        text: whether columns of text hold the cells of a text file, so that numbers may be spelled there.
        reasons: the name of a column that says why a row has no answer; empty for none.
    """

    worker: WorkerPredictor
    columns: tuple[str, ...] = ()
    errors: Errors = "raise"
    out_of_range: OutsideRange = "ignore"
    prefix: str = ""
    text: bool = False
    reasons: str = ""

    def __post_init__(self) -> None:
        check_choice("errors", self.errors, get_args(Errors))
        check_choice("out_of_range", self.out_of_range, get_args(OutsideRange))
        if self.reasons and self.errors != "null":
            named, needed = argument("reasons"), argument("errors", "null")
            raise InputError(f"{named} is a column for rows without a prediction; add {needed}")

    @classmethod
    def of(
        cls, package: str | Path | WorkerPredictor, columns: Sequence[str], errors: Errors, certified: bool,
        more: MoreOptions,
    ) -> Self:  # fmt: skip
        """Return the scorer of a package that is read here first.

        Raises:
            InputError: rows of the model influence one another.
            ParityError: as `WorkerPredictor.of`.
        """
        if not isinstance(package, WorkerPredictor):
            asked: Any = {name: value for name, value in more.items() if name in _OF_WORKER}
            package = WorkerPredictor.of(package, certified=certified, **asked)
            _check_row_independent(package.open().contract)
        outside, prefix = more.get("out_of_range", "ignore"), more.get("prefix", "")
        return cls(package, tuple(columns), errors, outside, prefix, reasons=more.get("reasons", ""))

    def schema(self, table: Any, contract: ModelContract, where: str = "the table") -> Any:
        """Return the ``pyarrow.Schema`` of the answers to batches of a schema; no model is run.

        Args:
            table: the batches' ``pyarrow.Schema``.
            contract: the package's.
            where: what the batches are called in messages.

        Raises:
            InputError: the model cannot answer a table in parts; a column that it takes, or that was asked for, is not
                there; or one is there already.
        """
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        empty = pyarrow.RecordBatch.from_pylist([], schema=table)
        answers = self._no_answers(contract)
        chunk = self._chunk(where, empty, 1, contract)
        read_inputs(contract, chunk)
        return self._with_reasons(self._chosen(chunk, empty, answers, np.zeros(0, bool)), np.zeros(0, bool), []).schema

    def added(self, contract: ModelContract) -> Any:
        """Return the ``pyarrow.Schema`` of the answers alone.

        Raises:
            InputError: as `schema`, but for the table's columns.
        """
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        check_takes_rows(contract)
        nothing = pyarrow.RecordBatch.from_pylist([], schema=pyarrow.schema([]))
        answers = [answer.renamed(self.prefix) for answer in self._no_answers(contract)]
        return self._with_reasons(with_predictions(nothing, answers, np.zeros(0, bool)), np.zeros(0, bool), []).schema

    def answers(self, batches: Iterable[Any], where: str, *, first: int = 1, threads: int = 1) -> Iterator[Any]:
        """Yield the answers to each ``pyarrow.RecordBatch``, in order.

        Args:
            batches: of one partition.
            where: what they are called in messages: ``partition 17``.
            first: the number of the first row.
            threads: how many batches are answered at once; as many, and one, are taken ahead.

        How many rows have no answer, and why the first, is logged on the worker when the batches are done.

        Raises:
            InputError: a column is missing or is there already; or, with ``raise``, names the first row of the
                partition that cannot be predicted.
        """
        predictor = self.worker.open()
        _check_row_independent(predictor.contract)
        chunks = self._chunks(where, batches, first, predictor.contract)
        rejected = RejectedRows(self.errors)
        try:
            for answer, faults in in_order(lambda chunk: self._answer(predictor, chunk), chunks, threads):
                rejected.add(faults)
                yield answer
        finally:
            rejected.log()

    def _chunks(self, where: str, batches: Iterable[Any], first: int, contract: ModelContract) -> Iterator[ArrowChunk]:
        for batch in batches:
            yield self._chunk(where, batch, first, contract)
            first += batch.num_rows

    def _chunk(self, where: str, batch: Any, first: int, contract: ModelContract) -> ArrowChunk:
        chunk = (TextColumns if self.text else ArrowChunk)(where, batch, first)
        chunk.values = cell_values(contract.missing_values)
        return chunk

    def _answer(self, predictor: Predictor, chunk: ArrowChunk) -> tuple[Any, list[InputError]]:
        with way_out_named(predictor.contract):
            scored = score(predictor, chunk, self.errors, self.out_of_range)
        kept: Any = scored.chunk
        answers = self._chosen(chunk, kept.batch, scored.predictions, scored.unpredicted)
        return self._with_reasons(answers, scored.unpredicted, scored.refused), scored.refused

    def _with_reasons(self, answers: Any, unpredicted: NDArray[np.bool_], faults: list[InputError]) -> Any:
        """Return a ``pyarrow.RecordBatch`` with the column that says why a row has no answer, if it was asked for."""
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        if not self.reasons:
            return answers
        if self.reasons in answers.schema.names:
            raise InputError(f"there is a column {self.reasons!r} already; choose another {argument('reasons')}")
        reasons = np.full(len(unpredicted), None, object)
        reasons[unpredicted] = [fault.problem for fault in faults]
        return answers.append_column(self.reasons, pyarrow.array(reasons, pyarrow.string()))

    def _chosen(self, chunk: ArrowChunk, batch: Any, predictions: list[PredictionColumn], unpredicted: Any) -> Any:
        """Return the columns that were asked for."""
        predictions = [answer.renamed(self.prefix) for answer in predictions]
        names = [answer.name for answer in predictions]
        chunk.refuse_columns((name for name in names if not self.columns or name in self.columns), prefix_way_out())
        layout = Layout.choose(chunk.columns, names, self.columns)
        return with_predictions(batch.select(layout.table), layout.chosen(predictions), unpredicted)

    def _no_answers(self, contract: ModelContract) -> list[PredictionColumn]:
        """Return the added columns of no rows."""
        _check_row_independent(contract)
        if self.out_of_range != "ignore":
            check_has_ranges(contract)
        contract = certified_contract(contract) if self.worker.certified else contract
        prediction_names(contract, certified=self.worker.certified)
        outputs = {
            spec.name: np.zeros((0, *(size if isinstance(size, int) else 0 for size in spec.shape[1:])), spec.dtype)
            for spec in contract.outputs
        }
        found = prediction_columns(contract, outputs)
        mark = [PredictionColumn(OUT_OF_RANGE, np.zeros(0, bool))] * (self.out_of_range == "mark")
        return [*found, *mark]


def _check_row_independent(contract: ModelContract) -> None:
    """Refuse a model whose answers would depend on how an engine parts a table."""
    if not contract.row_independent:
        raise InputError(
            f"rows of {contract.name} influence one another, and an engine divides a table into parts: predict the "
            "table on one machine, as one batch (parity predict)"
        )
