"""What a page tells, read from a run or from a package."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity_runtime import ModelContract
from parity_runtime.drift.profile import Profile, read_profile
from parity_runtime.errors import InputError
from parity_runtime.package.manifest import EVALUATION, MANIFEST, REPORT, Package
from parity_training.fitting.training_log import read_epochs
from parity_training.recipe import Recipe
from parity_training.run import RECIPE, STATE_DICT, Run, unfinished_path


@dataclass(frozen=True)
class Facts:
    """What is known of a model.

    Attributes:
        path: the run, or the package.
        contract: what it takes and gives.
        evaluation: what evaluation.json holds; empty where there is none.
        profile: what the training rows looked like; None where nobody knows.
        recipe: of a run: how it was trained; None of a package.
        epochs: of a run: the lines of metrics.jsonl.
        parity: of a package: what parity.json holds.
        package_id: of a package.
    """

    path: Path
    contract: ModelContract
    evaluation: dict[str, Any]
    profile: Profile | None
    recipe: Recipe | None = None
    epochs: list[dict[str, Any]] = field(default_factory=list)
    parity: dict[str, Any] = field(default_factory=dict)
    package_id: str | None = None


def read_facts(path: str | Path) -> Facts:
    """Read a run, or a package whose files are those that were packaged.

    Raises:
        InputError: there is neither, or the run has not finished.
        DigestError: a file of the package is not the one that was packaged.
        FormatError: a file is malformed, or newer than this version.
    """
    path = Path(path)
    if (path / MANIFEST).is_file():
        return _of_package(path)
    if not (path / RECIPE).is_file() and not (unfinished_path(path.absolute()) / RECIPE).is_file():
        raise InputError(
            f"{path} is neither a run nor a package: it has neither {RECIPE} nor {MANIFEST}; parity train writes a "
            "run, parity export a package"
        )
    return _of_run(Run.open(path))


def _of_run(run: Run) -> Facts:
    if not (run.path / STATE_DICT).is_file():
        run.state_dict()  # says how an unfinished run is continued
    with run.reading():
        found, profile = run.evaluation(), run.profile()
        return Facts(run.path, run.recipe.contract, found, profile, run.recipe, read_epochs(run.path))


def _of_package(path: Path) -> Facts:
    package = Package.open(path)
    evaluation = package.read_json(EVALUATION) if EVALUATION in package.entries else {}
    parity = package.read_json(REPORT) if REPORT in package.entries else {}
    profile = read_profile(path, package.id)
    return Facts(path, package.contract, evaluation, profile, parity=parity, package_id=package.id)
