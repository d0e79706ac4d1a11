"""The categories of a column: how often each stands there, and which of them get an index."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import MISSING_CATEGORY
from parity_runtime.printable import shown

LEAST_ROWS = 2
"""Rows of training in which a category stands at least that has an index: a single one teaches nothing."""

LATER = "\ud800"
"""Stands for the categories that came when memory held as many as it may; no graph can hold it, so it has no index."""

_BYTES_OF_A_TEXT = 200  # of Python's string, and its places in a dictionary and in lists

_CODE = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)  # what `parity_runtime.Feature` takes as one
_SPELLED_CODE = re.compile(r"(-?)\+?0*([0-9]+)(?:\.0*)?", re.ASCII)
_LONGEST_ESCAPED = 80  # characters
_INVISIBLE = {"Cf", "Cc", "Zs", "Zl", "Zp"}  # Unicode's categories of format, control and separator characters


class CategoryCodes(dict[str, int]):
    """A number for each category that a column holds, in the order of their first appearance; 0 is a missing one.

    Attributes:
        texts: the categories by their number.
        most: bytes that they may take in memory, about; all others are `LATER`. None: as many as there are.
    """

    def __init__(self) -> None:
        super().__init__({MISSING_CATEGORY: 0})
        self.texts = [MISSING_CATEGORY]
        self.most: int | None = None
        self._taken = 0

    def __missing__(self, text: str) -> int:
        self._taken += 4 * len(text) + _BYTES_OF_A_TEXT
        if self.most is not None and self._taken > self.most:
            if self.texts[-1] != LATER:
                self.texts.append(LATER)
            return len(self.texts) - 1
        self[text] = len(self.texts)
        self.texts.append(text)
        return self[text]


class CategoryCounts:
    """In how many rows each category stands; counts of parts merge in any order to the same result."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()

    def update(self, texts: Iterable[str]) -> None:
        """Take the cells of rows, missing ones among them."""
        self.rows.update(texts)

    def update_counts(self, counts: NDArray[np.int64], texts: Sequence[str]) -> None:
        """Take rows that are counted: of each text in how many it stands."""
        self.rows.update({texts[code]: int(counts[code]) for code in np.flatnonzero(counts).tolist()})

    def merge(self, other: Self) -> None:
        """Take the rows that another one counted."""
        self.rows.update(other.rows)

    @property
    def missing(self) -> int:
        """Rows without a category."""
        return self.rows[MISSING_CATEGORY]

    @property
    def distinct(self) -> int:
        """Different categories."""
        return len(self.rows) - (MISSING_CATEGORY in self.rows)

    def chosen(self, most: int, *, is_code: bool = False) -> tuple[str, ...]:
        """Return the categories that get an index: the most frequent ones, each in `LEAST_ROWS` rows at least.

        Of equally frequent ones the first by its text; they are in the order of their texts, codes of their integers.

        Args:
            most: how many at most.
            is_code: leaves out what is no integer. What no graph can hold is left out in any case: half a character
                (a lone surrogate of JSON), and what the C interface takes as the end of a text.
        """
        known = [text for text, rows in self.rows.items() if text != MISSING_CATEGORY and rows >= LEAST_ROWS]
        known = [text for text in known if _is_writable(text) and (not is_code or _CODE.fullmatch(text))]
        kept = sorted(known, key=lambda text: (-self.rows[text], text))[:most]
        return tuple(sorted(kept, key=int) if is_code else sorted(kept))


def _is_writable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def lookalikes(texts: Iterable[str]) -> list[list[str]]:
    """Return the categories that differ in case, white space or invisible characters alone, together.

    So do codes that are one number in several spellings: 1, 01 and 1.0.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        groups[_plain(text)].append(text)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def with_invisible(texts: Iterable[str]) -> list[str]:
    """Return the categories that hold characters which nobody sees, or white space at an end."""
    return [text for text in texts if text != text.strip() or any(map(_is_invisible, text))]


def _is_invisible(character: str) -> bool:
    return character != " " and unicodedata.category(character) in _INVISIBLE


def escaped(text: str) -> str:
    """Return a category so that those that look alike can be told apart: with escapes where it does not stand composed.

    So stand an accent that is a character of its own, and all that nobody sees.
    """
    is_plain = unicodedata.normalize("NFKC", text) == text and not any(map(_is_invisible, text))
    return shown(text) if is_plain or len(text) > _LONGEST_ESCAPED else ascii(text)


def _plain(text: str) -> str:
    if text.isascii():
        return _as_code(" ".join(text.casefold().split()))
    text = "".join(character for character in text if unicodedata.category(character) not in ("Cf", "Cc"))
    return _as_code(" ".join(unicodedata.normalize("NFKC", text).casefold().split()))


def _as_code(text: str) -> str:
    """Return an integer in any spelling as its shortest one."""
    found = _SPELLED_CODE.fullmatch(text)
    return f"{found[1]}{found[2]}" if found else text
