"""Options that compare a table with the training rows, and what is done about them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import section
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError, LimitError
from parity_runtime.files.json_file import dump_json
from parity_runtime.inference.predictor import Predictor

if TYPE_CHECKING:
    from parity_runtime.drift.drift_limit import DriftLimit
    from parity_runtime.drift.drift_report import DriftReport
    from parity_runtime.drift.explain_row import ExplainedRow
    from parity_runtime.drift.table_counts import TableCounts

_NO_PROFILE = (
    "has no profile.json, which records the training rows; packages of runs that this version "
    "trains have one: parity train ..., then parity export RUN {} --force"
)


def drift_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --fail-on and --explain-row."""
    drift = section("Differences from the training rows")
    for option in reversed((
        drift("--fail-on", multiple=True, metavar="FIGURE[:COLUMN]=X",
              help="Exit with 3 if too many cells of a column are unknown, missing or outside the range of the "
                   "training rows (unknown=1%, missing:age=5%), or if its stability index is too large (psi=0.25); "
                   "repeatable."),
        drift("--explain-row", type=click.IntRange(1), metavar="N",
              help="Print only row N of TABLE, counted from 1 without the header: its features as the model reads "
                   "them, which of them are missing, unknown or out of range, and the prediction."),
    )):  # fmt: skip
        command = option(command)
    return command


def refuse_beside_explain_row(given: dict[str, Any]) -> None:
    """Refuse options that mean all rows beside --explain-row, which answers one.

    Raises:
        click.UsageError: names the first of them.
    """
    for name, value in given.items():
        if value:
            raise click.UsageError(f"--explain-row prints one row only; leave out --{name.replace('_', '-')}")


def show_row(explained: "ExplainedRow", *, as_json: bool = False) -> None:
    """Print one row."""
    if as_json:
        click.echo(dump_json(explained.to_json()), nl=False)
        return
    from parity_runtime.cli.drift_text import row_lines  # noqa: PLC0415 -- not where nobody asks for it

    for line in row_lines(explained):
        echo_line(line)


class DriftWatch:
    """Counts the rows of a table beside their answers, and says what they are beside those of the training.

    Args:
        predictor: answers the rows.
        package: where it is from.
        fail_on: the limits, as they were spelled.
        summary: whether `finish` prints the report.

    Raises:
        click.UsageError: a limit is none, or none that this model's columns can be beyond.
        InputError: a limit needs a profile, and the package has none.

    Attributes:
        counts: of the rows so far; whoever answers them merges them.
    """

    counts: "TableCounts"

    def __init__(self, predictor: Predictor, package: Path, fail_on: tuple[str, ...], *, summary: bool = False) -> None:
        # a third of this command's start where it is not needed
        from parity_runtime.drift.profile import read_profile  # noqa: PLC0415
        from parity_runtime.drift.table_counts import TableCounts  # noqa: PLC0415

        contract = predictor.contract
        self._limits, self._summary = _limits(fail_on, contract), summary
        profile = read_profile(package, predictor.package_id)
        self._without = _without_profile(package) if profile is None else None
        if self._without and any(limit.measure == "psi" for limit in self._limits):
            raise InputError(f"--fail-on psi: {self._without}")
        self.counts = TableCounts(contract, profile)

    def finish(self) -> None:
        """Print the report on stderr, where it is asked for.

        Raises:
            LimitError: something is beyond a limit.
        """
        if self._summary:
            self.show(err=True)
        beyond = self.beyond()
        if beyond:
            raise LimitError("; ".join(beyond))

    def to_json(self) -> dict[str, Any]:
        """Return the report."""
        return self._report().to_json()

    def show(self, *, err: bool) -> None:
        """Print the report; where it was asked for, what the package lacks for it on stderr."""
        from parity_runtime.cli.drift_text import drift_lines  # noqa: PLC0415 -- not where nobody asks for it

        if self._without and self._summary:
            echo_line(f"parity: {self._without}", err=True)
        for line in drift_lines(self._report()):
            echo_line(line, err=err)

    def beyond(self) -> list[str]:
        """Return what is beyond the limits."""
        from parity_runtime.drift.drift_limit import beyond_limits  # noqa: PLC0415 -- not where nobody asks for it

        return beyond_limits(self._limits, self._report())

    def _report(self) -> "DriftReport":
        from parity_runtime.drift.drift_report import drift_report  # noqa: PLC0415 -- not where nobody asks for it

        return drift_report(self.counts)


def _without_profile(package: Path) -> str:
    if package.is_file():
        return f"{package} is a model file without a record of its training rows; give the folder of its package"
    return f"{package} {_NO_PROFILE.format(shlex.quote(str(package)))}"


def _limits(spelled: tuple[str, ...], contract: ModelContract) -> "list[DriftLimit]":
    from parity_runtime.drift.drift_limit import DriftLimit  # noqa: PLC0415 -- not where nobody asks for it

    try:
        return [DriftLimit.parse(text, contract) for text in spelled]
    except InputError as error:
        raise click.UsageError(str(error)) from error
