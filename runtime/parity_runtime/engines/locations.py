"""Tables on other file systems, which an engine reads and writes by itself: s3://, hdfs://, abfss://, gs://."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parity_runtime.arguments import argument
from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.errors import InputError
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import listed
from parity_runtime.tables.read_options import table_format

_SCHEME = re.compile(r"[A-Za-z][\w+.-]*://")
READABLE = ("parquet", "csv", "jsonl")
"""The formats that engines read."""


def has_scheme(location: str) -> bool:
    """Whether a location is of a file system that an engine reads: ``s3://bucket/points``."""
    return _SCHEME.match(location) is not None


@dataclass(frozen=True)
class LocationsJob:
    """Tables that an engine reads, and the folder that it writes. It pickles.

    Attributes:
        tables: their locations.
        out: where the answers go.
        format: of both.
        worker: the package.
        scoring: how rows are answered; only what changes answers counts.
    """

    tables: tuple[str, ...]
    out: str
    format: str
    worker: WorkerPredictor
    scoring: ScoringJob

    @classmethod
    def of(
        cls, tables: Sequence[str], out: str, format_name: str | None, worker: WorkerPredictor, scoring: ScoringJob
    ) -> "LocationsJob":
        """Return the job.

        Raises:
            InputError: some are of other file systems and some are not, or nobody says the format, or it is none that
                engines read.
        """
        plain = [place for place in (*tables, out) if not has_scheme(place)]
        if plain:
            raise InputError(
                f"{listed(plain)} is a path, and others have a scheme; write all of them in the same way: "
                "file:///... for a path that all workers see"
            )
        formats = {format_name or table_format(table.rstrip("/"), "") for table in tables}
        if len(formats) > 1 or not formats <= {*READABLE}:
            raise InputError(
                f"{listed(tables)}: engines read {', '.join(READABLE)}, all tables alike; say which: "
                f"{argument('format', 'parquet')}"
            )
        return cls(tuple(tables), out, formats.pop(), worker, scoring)

    @property
    def local_out(self) -> Path | None:
        """The folder of the answers where it is one of this machine's; None on other file systems."""
        parts = urlsplit(self.out)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @contextlib.contextmanager
    def no_empty_folder(self) -> Iterator[None]:
        """Remove the folder of the answers if the block ends with an error before anything is in it."""
        was_there = self.local_out is not None and self.local_out.exists()
        try:
            yield
        except BaseException:
            if self.local_out is not None and not was_there:
                with contextlib.suppress(OSError):
                    self.local_out.rmdir()
            raise

    def scorer(self, columns: Sequence[str]) -> BatchScorer:
        """Return what answers batches of a table with these columns.

        Raises:
            InputError: as `ScoringJob.layout`.
        """
        import pyarrow  # noqa: PLC0415 -- of the engines' extras

        empty = pyarrow.RecordBatch.from_pylist([], schema=pyarrow.schema([(name, pyarrow.null()) for name in columns]))
        job, predictor = self.scoring, self.worker.open()
        prefix, _ = job.layout(predictor, ArrowChunk(listed(self.tables), empty, 1))
        return BatchScorer(self.worker, job.columns, job.errors, job.out_of_range, prefix, text=self.format == "csv")
