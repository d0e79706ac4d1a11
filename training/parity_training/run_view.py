"""What a run shows in a notebook: how it was trained, how good it is, and the pictures that were drawn of it."""

import base64
import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from parity_runtime import ModelContract
from parity_runtime.evaluation.result_sentences import result_sentences
from parity_runtime.files.open_file import read_regular
from parity_runtime.html_view import facts, paragraph, pictures, table, view
from parity_training.settings import TrainSettings

_ALWAYS = ("epochs", "batch_size", "optimizer", "learning_rate", "loss", "seed")
_MOST_BYTES = 2**23  # of a picture
_MOST_PIXELS = 2**24
_WIDTH = 480  # pixels that a notebook keeps of a picture: its file grows with each one that it shows
_QUALITY = 60  # of WebP, of 100
_PNG, _HEADER = b"\x89PNG\r\n\x1a\n", 24  # a file's first bytes, and how many say its size


def run_view(
    title: str,
    contract: ModelContract,
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    drawn: Sequence[Path],
) -> str:
    """Return the HTML of a run.

    Args:
        title: what it is, and where.
        contract: what its network takes and gives.
        training: its settings, as a recipe holds them.
        evaluation: as evaluation.json holds it; empty where there is none.
        drawn: pictures, PNG files; what is none is left out.
    """
    said = facts([("task", contract.brief), ("settings", ", ".join(_settings(training)))])
    if not evaluation:
        return view(
            title, said, paragraph("It has no evaluation.json: its training has not finished, or the file is gone.")
        )
    return view(title, said, *_results(contract, evaluation), pictures(_embedded(drawn)))


def _settings(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings that everybody asks for, and those that are not the default."""
    usual = TrainSettings().to_json()
    for name in (item.name for item in fields(TrainSettings)):
        value = training.get(name, usual[name])
        if value is not None and (name in _ALWAYS or value != usual[name]):
            yield f"{name} {value}"


def _results(contract: ModelContract, evaluation: Mapping[str, Any]) -> Iterator[str]:
    baseline = evaluation.get("baseline") or {}
    yield from (paragraph(line) for line in result_sentences(contract, evaluation))
    names = [name for name, value in evaluation.items() if _is_number(value) and name != "rows"]
    yield table(
        ("metric", "model", "baseline"),
        [(name, _figure(evaluation[name]), _figure(baseline.get(name))) for name in names],
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _figure(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value) if _is_number(value) else ""


def _embedded(drawn: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield each picture's name and its data URI."""
    for path in drawn:
        try:
            kind, data = _smaller(read_regular(path, _MOST_BYTES))
        except (OSError, SyntaxError, ValueError):  # what Pillow raises of a broken file
            continue
        yield path.stem.replace("_", " "), f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _smaller(data: bytes) -> tuple[str, bytes]:
    """Return a picture in the size in which it is shown; as it is without Pillow, which draws them elsewhere."""
    width, height = _size(data)
    if width <= _WIDTH or find_spec("PIL") is None:
        return "png", data
    from PIL import Image  # noqa: PLC0415 -- of the extra that draws

    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        small = picture.convert("RGB").resize((_WIDTH, max(1, height * _WIDTH // width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "webp", quality=_QUALITY)
    return "webp", buffer.getvalue()


def _size(data: bytes) -> tuple[int, int]:
    """Return the width and the height of a PNG, from its header: before memory is taken for its pixels."""
    if len(data) > _MOST_BYTES or not data.startswith(_PNG) or len(data) < _HEADER:
        raise ValueError("it is not a PNG of a picture's size")
    width, height = struct.unpack_from(">II", data, _HEADER - 8)
    if width * height > _MOST_PIXELS:
        raise ValueError("it is larger than any picture of a run")
    return width, height
