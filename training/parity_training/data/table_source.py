"""What a recipe keeps of a table, and the settings that read the same rows again."""

from dataclasses import asdict, fields
from typing import Any

from parity_runtime import FormatError, InputError
from parity_runtime.printable import shown
from parity_runtime.tables.read_options import ReadOptions
from parity_training.data.columns import Columns
from parity_training.data.table_features import MOST_CATEGORIES
from parity_training.data.table_settings import KINDS_SAID, OF_ROWS_SAID, TableSettings
from parity_training.data.target_meaning import TargetMeaning


def table_source(columns: Columns, meaning: TargetMeaning, settings: TableSettings, digest: str) -> dict[str, Any]:
    """Return where the rows of a table are from, as JSON.

    Args:
        columns: the table.
        meaning: what its target is.
        settings: what was said of it.
        digest: sha256 over the rows.
    """
    source: dict[str, Any] = {
        "source": "table",
        "rows": columns.num_rows,
        "sha256": digest,
        "target": settings.target if isinstance(settings.target, str) else list(settings.target),
        "features": list(columns.kinds),
        "task": meaning.task,
        "classes": list(meaning.classes),
        "threshold": settings.threshold,
        "validation": settings.validation,
        "test": settings.test,
        "seed": settings.seed,
    }
    told = asdict(settings.reading)
    source |= {name: told[name] for name in told if told[name] != getattr(ReadOptions(), name)}
    source |= {item: getattr(settings, item) for item in (*KINDS_SAID, *OF_ROWS_SAID) if getattr(settings, item)}
    if settings.max_categories != MOST_CATEGORIES:
        source["max_categories"] = settings.max_categories
    return {key: list(value) if isinstance(value, tuple) else value for key, value in source.items()}


def memory_from_source(source: dict[str, Any]) -> int | None:
    """Return how many bytes of its rows were in memory, from what a recipe keeps; None where all were.

    Raises:
        FormatError: it is no number.
    """
    memory = source.get("memory")
    if memory is not None and (not isinstance(memory, int) or isinstance(memory, bool)):
        raise FormatError(f"the recipe's data cannot be read: memory is {shown(memory)}")
    return memory


def settings_from_source(source: dict[str, Any]) -> TableSettings:
    """Return the settings that read the same rows again, from what a recipe keeps.

    Raises:
        FormatError: something is missing, or of another type.
    """
    try:
        return _settings_from_source(source)
    except (KeyError, TypeError, IndexError, InputError) as error:
        raise FormatError(f"the recipe's data cannot be read: {shown(error)}") from error


def _settings_from_source(source: dict[str, Any]) -> TableSettings:
    classes = source["classes"]
    told = {item.name: source[item.name] for item in fields(ReadOptions) if item.name in source}
    said: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    said |= {item: tuple(source.get(item, ())) for item in KINDS_SAID}
    said |= {item: source.get(item) for item in OF_ROWS_SAID}
    target = source["target"]
    return TableSettings(
        target=tuple(target) if isinstance(target, list) else target,
        features=tuple(source["features"]),
        task="regression" if source["task"] == "regression" else "classification",
        max_categories=source.get("max_categories", MOST_CATEGORIES),
        positive=str(classes[1]) if len(classes) == 2 else None,
        threshold=source["threshold"],
        validation=source["validation"],
        test=source["test"],
        seed=source["seed"],
        **said,
    )
