"""What an input may hold, as a specification says it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from parity_runtime import InputError, TensorSpec
from parity_runtime.arguments import did_you_mean
from parity_runtime.printable import shown

Bound = int | float | str
"""A number, or the name of a dynamic dimension."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_VALUE = rf"({_NUMBER}|[^\W\d]\w*)"
_RANGE = re.compile(rf"in\s+{_VALUE}\s*\.\.\s*{_VALUE}")
_BOUND = re.compile(rf"(<=|>=|<|>)\s*{_VALUE}")
_WORDS = {
    "prefix": "prefix",
    "suffix": "suffix",
    "padding": "padding",
    "sorted": "sorted",
    "one-hot": "one_hot",
    "unit norm": "unit_norm",
}
_FORMS = f"in 0..1, < 100, >= 0, {', '.join(_WORDS)}"


@dataclass(frozen=True, slots=True)
class InputDomain:
    """What one input may hold.

    Attributes:
        low: its lowest value; None without a limit.
        high: its highest value.
        above: whether ``low`` itself is no value.
        below: whether ``high`` itself is no value.
        prefix: a mask: along the last axis ones, at least one, and zeros behind them.
        suffix: a mask: along the last axis zeros, and ones behind them, at least one, as of rows that are padded on the
            left.
        padding: a mask the other way round: along the last axis zeros, at least one, and ones behind them.
        sorted: values do not fall along the last axis.
        one_hot: along the last axis zeros, and a single one.
        unit_norm: the Euclidean norm along the last axis is 1.
    """

    low: Bound | None = None
    high: Bound | None = None
    above: bool = False
    below: bool = False
    prefix: bool = False
    suffix: bool = False
    padding: bool = False
    sorted: bool = False
    one_hot: bool = False
    unit_norm: bool = False

    @classmethod
    def of(cls, spec: TensorSpec) -> Self:
        """Read the domain of an input.

        >>> from parity_export.sources.input_domain import InputDomain
        >>> from parity_runtime import TensorSpec
        >>> str(InputDomain.of(TensorSpec.parse("mask: int64[batch, time]  in 0 .. 1,prefix")))
        'in 0..1, prefix'

        Raises:
            InputError: it is of no known form, contradicts itself, or does not go with the input's dtype or shape.
        """
        given: dict[str, Any] = {}
        for clause in map(str.strip, spec.domain.split(",")) if spec.domain.strip() else ():
            for name, value in _clause(spec, clause):
                if name in given:
                    raise InputError(f"{spec}: {shown(clause)} repeats what was said before it")
                given[name] = value
        domain = cls(**given)
        _check(domain, spec)
        return domain

    def __bool__(self) -> bool:
        return self != InputDomain()

    def __str__(self) -> str:
        words = [word for word, name in _WORDS.items() if getattr(self, name)]
        if None not in (self.low, self.high) and not (self.above or self.below):
            return ", ".join([f"in {_text(self.low)}..{_text(self.high)}", *words])
        low = [] if self.low is None else [f"{'>' if self.above else '>='} {_text(self.low)}"]
        high = [] if self.high is None else [f"{'<' if self.below else '<='} {_text(self.high)}"]
        return ", ".join([*low, *high, *words])

    @property
    def dimensions(self) -> list[str]:
        """The names of the dimensions that bound it."""
        return [bound for bound in (self.low, self.high) if isinstance(bound, str)]

    @property
    def is_mask(self) -> bool:
        """Whether each row is a prefix of ones or of zeros, or a suffix of ones."""
        return self.prefix or self.suffix or self.padding

    @property
    def keeps_ones(self) -> bool:
        """Of a mask, whether its ones are looked at; else its zeros."""
        return not self.padding

    @property
    def is_shaped(self) -> bool:
        """Whether values hang together along the last axis so that no single one can be chosen."""
        return self.is_mask or self.one_hot or self.unit_norm

    def ends(self, sizes: Mapping[str, int]) -> tuple[float, float]:
        """Return the lowest and the highest value, infinite without a limit, at some sizes of the dimensions."""
        if self.is_mask or self.one_hot:
            return 0, 1
        if self.unit_norm:
            return -1, 1
        low = -np.inf if self.low is None else sizes[self.low] if isinstance(self.low, str) else self.low
        high = np.inf if self.high is None else sizes[self.high] if isinstance(self.high, str) else self.high
        return low, high

    def integer_ends(self, sizes: Mapping[str, int]) -> tuple[int | None, int | None]:
        """Return the lowest and the highest integer; what has an upper limit alone, as an index, starts at 0."""
        low, high = self.ends(sizes)
        first = None if np.isinf(low) else int(np.floor(low) + 1 if self.above else np.ceil(low))
        last = None if np.isinf(high) else int(np.ceil(high) - 1 if self.below else np.floor(high))
        return (0 if first is None and last is not None and last >= 0 else first), last

    def holds(self, value: float, sizes: Mapping[str, int]) -> bool:
        """Whether a number lies between the ends."""
        low, high = self.ends(sizes)
        return (value > low if self.above else value >= low) and (value < high if self.below else value <= high)


def check_domains(specs: Sequence[TensorSpec], batch: str | None) -> list[TensorSpec]:
    """Return inputs with their domains in canonical text.

    Raises:
        InputError: a domain is none, or names a dimension that no input has, or the one that counts rows.
    """
    names = {size for spec in specs for size in spec.shape if isinstance(size, str)}
    checked = []
    for spec in specs:
        domain = InputDomain.of(spec)
        for name in domain.dimensions:
            if name not in names:
                raise InputError(f"{spec}: no input has the dimension {name}{did_you_mean(name, names)}")
            if name == batch:
                raise InputError(
                    f"{spec}: {name} counts rows, which do not bound one another's values; give the dimension that "
                    "the values are bounded by another name"
                )
        if batch is not None and spec.shape[-1:] == (batch,) and (domain.is_shaped or domain.sorted):
            raise InputError(
                f"{spec}: its last axis counts rows, which are independent of one another; give it one more axis"
            )
        checked.append(replace(spec, domain=str(domain)))
    return checked


def _clause(spec: TensorSpec, clause: str) -> Iterator[tuple[str, Any]]:
    """Yield which attributes a clause gives, and their values."""
    word = " ".join(clause.split())
    if word in _WORDS:
        yield _WORDS[word], True
    elif found := _RANGE.fullmatch(clause):
        yield "low", _bound(found[1])
        yield "high", _bound(found[2])
    elif found := _BOUND.fullmatch(clause):
        side = "high" if found[1][0] == "<" else "low"
        yield side, _bound(found[2])
        if len(found[1]) == 1:
            yield "below" if side == "high" else "above", True
    else:
        near = did_you_mean(word, _WORDS)
        raise InputError(
            f"{shown(str(spec))}: {shown(clause)} is not a rule for the values of an input{near}; write one of {_FORMS}"
        )


def _bound(text: str) -> Bound:
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    return float(text) if re.fullmatch(_NUMBER, text) else text


def _text(bound: Bound | None) -> str:
    return f"{bound:g}" if isinstance(bound, float) and float(f"{bound:g}") == bound else str(bound)


def _check(domain: InputDomain, spec: TensorSpec) -> None:
    """Refuse a domain that contradicts itself, or the dtype or the shape of its input."""
    if not domain:
        return
    words = [word for word, name in _WORDS.items() if getattr(domain, name)]
    kind = spec.numpy_dtype.kind
    problem = None
    if kind == "O":
        problem = "text has no domain; a column's categories say what it may hold"
    elif not spec.shape and words:
        problem = f"{words[0]} is about the last axis, and there is none"
    elif len([word for word in words if word != "sorted"]) > 1 or (domain.sorted and domain.is_shaped):
        problem = f"{' and '.join(words)} exclude one another"
    elif domain.unit_norm and kind != "f":
        problem = "what has unit norm holds floats"
    elif domain.is_shaped and not _goes_with_words(domain):
        problem = f"what is {words[0]} has its own range"
    else:
        problem = _empty(domain, spec)
    if problem is not None:
        raise InputError(f"{shown(str(spec))}: {problem}")


def _goes_with_words(domain: InputDomain) -> bool:
    """Whether the range beside a word is the word's own, or there is none."""
    given = (domain.low, domain.high, domain.above, domain.below)
    own = (None, None, False, False)
    return given == own or (not domain.unit_norm and given == (0, 1, False, False))


def _empty(domain: InputDomain, spec: TensorSpec) -> str | None:
    """Return why no value lies in a range; None where one does, or a dimension's size decides."""
    if domain.dimensions:
        return None
    if spec.dtype.startswith("float"):
        low, high = domain.ends({})
        empty = low > high or (low == high and (domain.above or domain.below))
    else:
        first, last = domain.integer_ends({})
        empty = first is not None and last is not None and first > last
        limits = (0, 1) if spec.dtype == "bool" else (np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max)
        if not empty and ((first or 0) < limits[0] or (last or 0) > limits[1]):
            return f"{spec.dtype} holds {limits[0]} to {limits[1]}"
    return "no value satisfies that" if empty else None


def is_possible(specs: Collection[TensorSpec], sizes: Mapping[str, int]) -> bool:
    """Whether every input has a value at some sizes of the dynamic dimensions."""
    for spec in specs:
        domain = InputDomain.of(spec)
        if domain.dimensions:
            low, high = domain.ends(sizes) if spec.dtype.startswith("float") else domain.integer_ends(sizes)
            if low is not None and high is not None and low > high:
                return False
    return True
