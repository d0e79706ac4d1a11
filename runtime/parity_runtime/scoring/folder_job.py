"""What a folder of answers is made of, as _parity.json in it says: a folder of another job is refused."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from parity_runtime.arguments import argument, either
from parity_runtime.contract import ModelContract
from parity_runtime.errors import FormatError, InputError
from parity_runtime.files.json_file import FORMAT, check_format, dump_table, read_json
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import import_onnxruntime
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.chunk import listed
from parity_runtime.tables.read_options import ReadOptions, table_format
from parity_runtime.tables.table_file import TableFile
from parity_runtime.tables.table_parts import TablePart, answers_name
from parity_runtime.version import __version__

JOB, RECORDS, LOCK, SUCCESS = "_parity.json", "_parity", "_parity/lock", "_SUCCESS"
"""What a folder of answers holds beside them; readers of folders pass over names that begin with ``_``."""

_NO_CHANGE = ("threads", "batch_size", "observe")  # of a `ScoringJob`: they change no answer


_NO_MATTER: tuple[tuple[str, Any], ...] = (("errors", "raise"), ("counts", True))


@dataclass(frozen=True)
class FolderJob:
    """How the parts of a table are answered, and where their answers go. It pickles, in a few hundred bytes.

    Attributes:
        out: the folder.
        package_id: of the package that answers.
        scoring: how each part is answered; `ScoringJob.observe` is None.
        reading: how the parts are written, where their names do not say so.
        facts: whatever else the answers hang on: versions, the provider.
    """

    out: str
    package_id: str
    scoring: ScoringJob
    reading: ReadOptions
    facts: Mapping[str, Any]

    @classmethod
    def of(
        cls, predictor: Predictor, out: str | Path, scoring: ScoringJob, reading: ReadOptions, *, counts: bool = False
    ) -> Self:
        """Return the job of a predictor.

        Args:
            predictor: answers.
            out: the folder.
            scoring: how each part is answered.
            reading: how the parts are written.
            counts: whether the rows of each part are counted as well.

        Raises:
            InputError: a bare model has no id, or rows of the model influence one another, so that no part means
                anything by itself.
        """
        if predictor.package_id is None:
            raise InputError(
                f"{predictor.contract.name} is a bare model without a package id, which a folder of predictions "
                "records; give a package folder, or one table"
            )
        refuse_dependent_rows(predictor)
        versions = {"parity": __version__, "onnxruntime": import_onnxruntime().__version__}
        facts = {**versions, "provider": predictor.provider, "certified": predictor.has_error_bounds, "counts": counts}
        return cls(str(out), predictor.package_id, replace(scoring, observe=None), reading, facts)

    def target(self, part: TablePart) -> Path:
        """Return the file of a part's answers."""
        return Path(self.out) / answers_name(part.name)

    def record_of(self, part: TablePart) -> Path:
        """Return the file that says that a part was scored."""
        return Path(self.out) / RECORDS / f"{part.number:06}.json"

    def table(self, predictor: Predictor, part: TablePart) -> TableFile:
        """Return a part, as the model reads it."""
        return part_table(predictor.contract, part, self.reading)

    def format_of(self, part: TablePart, table: TableFile) -> str:
        """Return the format of a part's answers."""
        return table_format(str(self.target(part)), table.format)

    def dump(self, parts: Sequence[TablePart], records: Sequence[PartRecord] = ()) -> bytes:
        """Return _parity.json: a part on each line, with what is known of it when all are scored."""
        listing = [record.to_json() for record in records] or [{"name": part.name} for part in parts]
        about = {"package": self.package_id, **self.facts}
        return dump_table({"format": FORMAT, **about, "options": self.options(), "parts": listing})

    def options(self) -> dict[str, Any]:
        """Return the options that change answers, as JSON holds them."""
        options = {**asdict(replace(self.scoring, observe=None)), **asdict(self.reading)}
        kept = {name: value for name, value in options.items() if name not in _NO_CHANGE}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}

    def is_in(self, folder: Path, parts: Sequence[TablePart]) -> bool:
        """Whether a folder holds this job, begun or complete; False where it holds none.

        Raises:
            InputError: it holds another job, or the same one of other parts.
        """
        path = folder / JOB
        if not path.exists():
            return False
        try:
            found = read_json(path)
            check_format(found, str(path))
        except FormatError as error:
            raise self.refused(str(error)) from error
        self._refuse_other(found)
        names = [part.get("name") if isinstance(part, dict) else None for part in found.get("parts") or []]
        self._refuse_parts(names, [part.name for part in parts])
        return True

    def _refuse_other(self, found: Mapping[str, Any]) -> None:
        if found.get("package") != self.package_id:
            other = str(found.get("package"))[:12]
            raise self.refused(f"{self.out} was written by the package {other}..., not by {self.package_id[:12]}...")
        options = found.get("options")
        before = {**found, **(options if isinstance(options, dict) else {})}
        for name, now in {**self.facts, **self.options()}.items():
            was = before.get(name)
            # Of a job that stops at a bad row no part that is complete has one; what was counted can be left aside.
            if was != now and (name, was) not in _NO_MATTER:
                raise self.refused(self._difference(name, was, now))

    def _difference(self, name: str, was: Any, now: Any) -> str:
        if name in ("parity", "onnxruntime"):
            return f"{self.out} was written with {name} {was}, not with {now}"
        if name == "counts":
            need = either("a tally needs", "--summary and --fail-on need")
            return f"{self.out} was begun without counting its rows, which {need}"
        return f"{self.out} was written with {argument(name)} {_shown(was)}, not with {_shown(now)}"

    def _refuse_parts(self, before: list[Any], now: list[str]) -> None:
        more = [name for name in now if name not in set(before)]
        fewer = [str(name) for name in before if name not in set(now)]
        if more or fewer:
            told = f"{listed(more[:3])} was not one of them" if more else f"{listed(fewer[:3])} is gone"
            raise self.refused(f"{self.out} holds the predictions of other tables: {told}")

    def refused(self, why: str) -> InputError:
        """Return the error that this folder cannot take the job; it says what to do."""
        error = InputError(f"{why}; choose another folder with {argument('out')}, or remove this one: ")
        error.way_out = f"rm -r {shlex.quote(self.out)}"
        return error


def part_table(contract: ModelContract, part: TablePart, reading: ReadOptions) -> TableFile:
    """Return a part, as a model reads it."""
    columns = [feature.name for feature in contract.row_features]
    return TableFile.named(part.path, reading, trained=contract.missing_values, columns=columns)


def refuse_dependent_rows(predictor: Predictor) -> None:
    """Refuse parts of a table where each would have to be answered with all others.

    Raises:
        InputError: rows of the model influence one another.
    """
    name = predictor.contract.name
    if not predictor.contract.row_independent:
        raise InputError(
            f"rows of {name} influence one another, so that the predictions would depend on where the table is cut; "
            "give each table by itself"
        )


def _shown(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return "the default" if value is None or value == [] else text
