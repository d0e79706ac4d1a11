"""A table through a predictor, from its first row to its last."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO

from parity_runtime.arguments import argument
from parity_runtime.available_cores import available_cores
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.training_range import check_has_ranges
from parity_runtime.scoring.create_writer import create_writer
from parity_runtime.scoring.prediction_columns import BESIDE_TARGET, OUT_OF_RANGE, prediction_names, prefix_way_out
from parity_runtime.scoring.rejected_rows import check_errors
from parity_runtime.scoring.score_chunk import Errors, Observe, OutsideRange, Scored, in_order, score
from parity_runtime.scoring.writer import Layout
from parity_runtime.tables.chunk import Chunk

BATCH = 2**15
"""Rows of one chunk, unless one says: enough to make the work between them small, and a few megabytes."""

_MOST_THREADS = 4


@dataclass(frozen=True)
class ScoringJob:
    """How a table is answered.

    Attributes:
        columns: the columns to write, of the table's and the answers; empty for all.
        errors: what becomes of a row that cannot be predicted.
        threads: how many chunks are worked on at once, beside reading and writing; None for a thread a core that this
            process may use, and four at most: no more are kept busy by one that reads and writes.
        batch_size: rows of one chunk; None for `BATCH`, or all where rows influence one another.
        out_of_range: what becomes of a row outside what the model has seen in training.
        spreadsheet_safe: of CSV: write an apostrophe before what a spreadsheet would run.
        prefix: what the names of the added columns begin with; None for ``predicted_`` where the table has the target
            as well (held-out rows, say), else nothing.
        observe: makes something of each chunk beside its answers, which `Scored.observed` holds; in the threads that
            answer.
    """

    columns: tuple[str, ...] = ()
    errors: Errors = "raise"
    threads: int | None = None
    batch_size: int | None = None
    out_of_range: OutsideRange = "ignore"
    spreadsheet_safe: bool = False
    prefix: str | None = None
    observe: Observe | None = None

    def run(
        self, predictor: Predictor, chunks: Iterator[Chunk], file: BinaryIO, format_name: str,
        watch: Callable[[Scored], None],
    ) -> None:  # fmt: skip
        """Answer every chunk and write it.

        Args:
            predictor: with the certified graph where the proof is wanted.
            chunks: of the table, `chunk_size` rows each.
            file: where the answers go.
            format_name: their format.
            watch: is told of each chunk after it was written.

        Raises:
            InputError: a column is missing or is there already, a row cannot be predicted, or rows outside what the
                model has seen are asked for and the contract knows the range of no feature.
            ConformanceError: the graph answers a label that is no class of the contract.
        """
        head = next(chunks)
        prefix, layout = self.layout(predictor, head)
        writer = create_writer(format_name, file, layout, head, spreadsheet_safe=self.spreadsheet_safe)

        def work(chunk: Chunk) -> tuple[Scored, Any]:
            scored = score(predictor, chunk, self.errors, self.out_of_range, self.observe)
            if prefix:
                scored = replace(scored, predictions=[answer.renamed(prefix) for answer in scored.predictions])
            return scored, writer.encode(scored)

        begun = False
        threads = self.threads or min(available_cores(), _MOST_THREADS)
        for scored, piece in in_order(work, chain([head], chunks), threads):
            if not begun:  # not before rows are answered: where the first cannot be, nothing is written
                writer.begin()
                begun = True
            writer.write(piece)
            watch(scored)
        writer.close()

    def layout(self, predictor: Predictor, head: Chunk) -> tuple[str, Layout]:
        """Return what the names of the added columns begin with, and the columns that are written.

        Args:
            predictor: as in `run`.
            head: the table's first rows; its columns are looked at, not its rows.

        Raises:
            InputError: as `run`, of columns and options.
        """
        check_errors(predictor.contract, self.errors)
        if self.out_of_range != "ignore":
            check_has_ranges(predictor.contract)
        names = prediction_names(predictor.contract, certified=predictor.has_error_bounds)
        names += [OUT_OF_RANGE] if self.out_of_range == "mark" else []
        prefix = self._beside_target(predictor.contract, head, names) if self.prefix is None else self.prefix
        names = [prefix + name for name in names]
        head.refuse_columns((name for name in names if not self.columns or name in self.columns), prefix_way_out())
        return prefix, Layout.choose(head.columns, names, self.columns)

    def _beside_target(self, contract: ModelContract, head: Chunk, names: list[str]) -> str:
        """Return a prefix where the target stands in the table under a name that the predictions would take.

        Where columns were chosen, their names say whether the prefix is meant.
        """
        taken = set(names) & set(head.columns)
        meant = not self.columns or any(BESIDE_TARGET + name in self.columns for name in names)
        return BESIDE_TARGET if meant and taken and taken <= set(contract.targets) else ""


def chunk_size(contract: ModelContract, batch_size: int | None) -> int | None:
    """Return how many rows go through the model at once; None for all of them.

    Raises:
        InputError: rows of the model influence one another, so that no batch but the whole table means anything.
    """
    if contract.row_independent:
        return batch_size or BATCH
    if batch_size is not None:
        raise InputError(
            f"rows of {contract.name} influence one another: the whole table is one batch; "
            f"omit {argument('batch_size')}"
        )
    return None
