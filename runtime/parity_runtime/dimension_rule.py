"""What a dynamic dimension may be: a range, a multiple, or what follows from other dimensions."""

import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from parity_runtime.arguments import did_you_mean
from parity_runtime.errors import InputError
from parity_runtime.printable import shown

LARGEST = 2**40
"""No dimension is larger: a row would not fit into memory."""

_NAME = r"[^\W\d]\w*"
_RULE = re.compile(rf"\s*(?P<name>{_NAME})\s*(?P<rest>.*)", re.DOTALL)
_RANGE = re.compile(r"in\s+(\d{1,12})\s*\.\.\s*(\d{1,12})")
_BOUND = re.compile(r"(<=|>=|<|>)\s*(\d{1,12})")
_MULTIPLE = re.compile(r"multiple\s+of\s+(\d{1,12})")
_TERM = re.compile(rf"\s*([+-]?)\s*(?:(\d{{1,12}})\s*\*\s*({_NAME})|({_NAME})|(\d{{1,12}}))")
_FORMS = '"time in 1..512", "width multiple of 32", "total = past + time"'


@dataclass(frozen=True, slots=True)
class DimensionRule:
    """What the size of one dynamic dimension may be.

    >>> from parity_runtime.dimension_rule import DimensionRule
    >>> DimensionRule.parse("time in 8..512, multiple of 8").allows(12)
    False
    >>> DimensionRule.parse("total = past + 2*time").derived({"past": 3, "time": 5})
    13

    Attributes:
        name: of the dimension.
        low: its smallest size.
        high: its largest size; None where there is no limit.
        multiple: what divides every size.
        terms: of a derived dimension: how often each other dimension is in it.
        constant: of a derived dimension: what is added.
        is_length: whether any size is allowed, and that was said: then the dimension is a length and counts no rows.
    """

    name: str
    low: int = 1
    high: int | None = None
    multiple: int = 1
    terms: tuple[tuple[str, int], ...] = ()
    constant: int = 0
    is_length: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"time in 1..512"``, ``"width multiple of 32"`` or ``"total = past + time"``.

        Raises:
            InputError: the text is of no such form, or no size satisfies it.
        """
        match = _RULE.fullmatch(text) if isinstance(text, str) else None
        if match is None or not match["rest"].strip():
            raise InputError(f"{shown(text)} is not a rule for a dimension; write {_FORMS}")
        clauses = [clause.strip() for clause in match["rest"].split(",")]
        terms, constant = _sum(clauses.pop(0)[1:], text) if clauses[0].startswith("=") else ((), 0)
        rule = cls(match["name"], *_bounds(clauses, text), terms, constant)
        rule = rule if rule.text else replace(rule, is_length=True)
        if rule.high is not None and rule.nearest(rule.low) is None:
            raise InputError(f"{shown(text)}: no size satisfies that")
        return rule

    def joined(self, other: "DimensionRule") -> "DimensionRule":
        """Return both rules of a dimension as one.

        Raises:
            InputError: no size satisfies both, or both say what it follows from.
        """
        if self.terms and other.terms:
            raise InputError(f"{self} and {other} both derive the same dimension; leave one of them out")
        first, second = (other, self) if other.terms else (self, other)
        said = ", ".join(filter(None, (first.text, second.text)))
        return DimensionRule.parse(f"{self.name} {said}") if said else self

    def derived(self, sizes: Mapping[str, int]) -> int:
        """Return the size that follows from those of the other dimensions."""
        return self.constant + sum(factor * sizes[name] for name, factor in self.terms)

    def allows(self, size: int) -> bool:
        """Whether a size is in the range and divided by the multiple."""
        return self.low <= size <= (LARGEST if self.high is None else self.high) and size % self.multiple == 0

    def nearest(self, size: int) -> int | None:
        """Return the smallest allowed size from ``size`` on, else the largest below; None where there is none."""
        step = self.multiple
        wanted = -(-max(size, self.low) // step) * step
        if self.high is not None and wanted > self.high:
            wanted = self.high // step * step
        return wanted if self.allows(wanted) else None

    @property
    def text(self) -> str:
        """What is said of the dimension, without its name: ``in 8..512, multiple of 8``, ``= past + time``."""
        said = [f"= {self._expression()}"] if self.terms else []
        said += [f"in {self.low}..{self.high}"] if self.high is not None else [f">= {self.low}"] * (self.low > 1)
        said += [f"multiple of {self.multiple}"] * (self.multiple > 1)
        return ", ".join(said) or ">= 1" * self.is_length

    def _expression(self) -> str:
        parts = [(factor, name if abs(factor) == 1 else f"{abs(factor)}*{name}") for name, factor in self.terms]
        parts += [(self.constant, str(abs(self.constant)))] * bool(self.constant)
        first = f"{'-' if parts[0][0] < 0 else ''}{parts[0][1]}"
        return " ".join([first, *(f"{'-' if sign < 0 else '+'} {part}" for sign, part in parts[1:])])

    def __str__(self) -> str:
        return f"{self.name} {self.text}"


def _bounds(clauses: Iterable[str], text: str) -> tuple[int, int | None, int]:
    """Return the smallest and the largest size, and what divides it."""
    low, high, multiple = 1, LARGEST, 1
    for clause in clauses:
        if found := _RANGE.fullmatch(clause):
            low, high = max(low, int(found[1])), min(high, int(found[2]))
            if int(found[1]) < 1:
                raise InputError(f"{shown(text)}: a size is at least 1")
        elif found := _BOUND.fullmatch(clause):
            sign, size = found[1], int(found[2])
            low = max(low, size + (sign == ">")) if sign[0] == ">" else low
            high = min(high, size - (sign == "<")) if sign[0] == "<" else high
        elif (found := _MULTIPLE.fullmatch(clause)) and int(found[1]):
            multiple = math.lcm(multiple, int(found[1]))
        else:
            near = did_you_mean(clause.split(" ")[0], ("in", "multiple of"))
            raise InputError(f"{shown(text)}: {shown(clause)} is not a rule of a dimension{near}; write {_FORMS}")
    return low, None if high == LARGEST and low <= high else high, multiple


def _sum(expression: str, text: str) -> tuple[tuple[tuple[str, int], ...], int]:
    """Return how often each dimension is in a sum, and what is added."""
    terms: dict[str, int] = {}
    constant, place = 0, 0
    while place < len(expression.rstrip()):
        found = _TERM.match(expression, place)
        if found is None or (place and not found[1]):
            raise InputError(f"{shown(text)} is not a sum; a derived dimension is written as total = past + 2*time + 1")
        sign, place = -1 if found[1] == "-" else 1, found.end()
        if found[5] is not None:
            constant += sign * int(found[5])
        else:
            other = found[3] or found[4]
            terms[other] = terms.get(other, 0) + sign * int(found[2] or 1)
    kept = tuple((other, factor) for other, factor in terms.items() if factor)
    if not kept:
        raise InputError(f"{shown(text)} names no other dimension; write a fixed size into the shape itself")
    return kept, constant


@functools.lru_cache(maxsize=256)
def parsed_rules(texts: tuple[str, ...]) -> tuple[DimensionRule, ...]:
    """Return the rules of a model, which every call is checked against."""
    return tuple(map(DimensionRule.parse, texts))


def with_derived(rules: Iterable[DimensionRule], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return sizes with those of the derived dimensions, which may follow from one another.

    Args:
        rules: without a cycle.
        sizes: of all other dimensions.
    """
    known = dict(sizes)
    left = [rule for rule in rules if rule.terms]
    for rule in left:
        known.pop(rule.name, None)
    while left:
        ready = [rule for rule in left if all(name in known for name, _ in rule.terms)]
        if not ready:
            said = "; ".join(map(str, left))
            raise InputError(f"{said}: these rules derive each size from another in a circle; leave one of them out")
        known |= {rule.name: rule.derived(known) for rule in ready}
        left = [rule for rule in left if rule not in ready]
    return known


def check_sizes(rules: Iterable[DimensionRule], sizes: Mapping[str, int], where: str = "the inputs have") -> None:
    """Refuse the sizes of one call that contradict what is said of the dimensions.

    Raises:
        InputError: names the first dimension, its size, and what it must be.
    """
    for rule in rules:
        size = sizes.get(rule.name)
        if size is None:
            continue
        if rule.terms:
            wanted = rule.derived(sizes)
            if size != wanted:
                named = ", ".join(f"{name} = {sizes[name]}" for name, _ in rule.terms)
                raise InputError(f"{where} {rule.name} = {size}; the model takes {rule}, which is {wanted} for {named}")
        if not rule.allows(size):
            raise InputError(f"{where} {rule.name} = {size}; the model takes {rule}")
