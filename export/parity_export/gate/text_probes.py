"""Texts that a column of categories is asked: those that training saw, the missing one, and such as look like them."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime import Feature
from parity_runtime.feature import MISSING_CATEGORY

_STRANGERS = (
    *(" ", "\t", "\n", "\u00a0", "\u200b", "\ufeff", "\0", ".", "-", "'", '"', ",", "\\"),
    *("nan", "NaN", "NA", "None", "null", "<missing>", "<unknown>", "true", "false", "True", "unknown"),
    *("0", "1", "2", "1.0", "-1", "01", "1e0", "9223372036854775807"),
    *("\u00e9", "e\u0301", "\u00c4", "\u00df", "\u0130", "\u6771\u4eac", "\U0001f600", "x" * 1000, "\u6f22" * 300),
)
"""What stands in tables where a category is expected: white space, words for nothing, numbers, other scripts."""

_VARIED = 16  # categories of which variants are asked: the first, the last, and some between
_UNKNOWN_SHARE = 0.125  # of the rows that are drawn, and as many are missing


def unknown_texts(categories: Sequence[str]) -> list[str]:
    """Return texts that are none of the categories: `_STRANGERS`, and variants of some of them."""
    places = np.unique(np.linspace(0, len(categories) - 1, min(_VARIED, len(categories))).astype(np.int64))
    varied = [text for place in places for text in _variants(categories[place])]
    known = {*categories, MISSING_CATEGORY}
    return [text for text in dict.fromkeys([*_STRANGERS, *varied]) if text not in known]


def all_texts(feature: Feature) -> list[str]:
    """Return every text that a column is asked: its categories, the missing one, unknown ones."""
    return [*feature.categories, MISSING_CATEGORY, *unknown_texts(feature.categories)]


def drawn_texts(feature: Feature, rows: int, random: np.random.Generator) -> NDArray[np.object_]:
    """Return texts, object ``[rows]``: each category before one comes twice, an eighth missing, an eighth unknown."""
    known, unknown = feature.categories or (MISSING_CATEGORY,), unknown_texts(feature.categories)
    rounds = [random.permutation(len(known)) for _ in range(rows // len(known) + 1)]
    texts = [known[place] for place in np.concatenate(rounds)[:rows]]
    strangers = random.integers(0, len(unknown), rows)
    for row, share in enumerate(random.random(rows)):
        if share < 2 * _UNKNOWN_SHARE:
            texts[row] = MISSING_CATEGORY if share < _UNKNOWN_SHARE else unknown[strangers[row]]
    return np.array(texts, object)


def _variants(text: str) -> Iterator[str]:
    """Yield texts that differ from one in what people do not see, or by one character."""
    yield from (text.upper(), text.lower(), text.swapcase(), text.title(), text.strip())
    yield from (f" {text}", f"{text} ", f"{text}\0", f"{text}.0", f"{text}{text[-1:]}", text[:-1], text[1:], text[:1])
    yield from (unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC"))
    yield "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
