"""Decisions by sizes that no range of one dimension says: two of them alike, an area, a remainder.

torch.export takes the branch of the example, and keeps as an assertion what it supposed of the sizes. Sizes that
contradict it are those at which the module answers by another branch: there the gate has to ask.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from torch.utils._sympy.printers import PythonPrinter

from parity_export.sources.dimension_choices import DimensionChoices

_LONGEST = 4096  # of one dimension alone
_LADDER = (*range(1, 65), *range(80, 513, 16))  # of each of two
_FEW = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 32, 64)  # of each of more
_MOST = 10_000  # assignments that are tried


@dataclass(frozen=True)
class SizeDecision:
    """What a program supposes of the sizes of some dimensions.

    Attributes:
        names: of the dimensions.
        text: of the supposition, in Python: ``queries != keys``.
        code: of the same.
        is_equality: whether it supposes that something is equal.
    """

    names: tuple[str, ...]
    text: str
    code: CodeType
    is_equality: bool

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether sizes are those of the program's branch; those at which the supposition has no value are."""
        try:
            return bool(eval(self.code, {"math": math}, dict(sizes)))  # noqa: S307 -- torch wrote it of numbers and names
        except ArithmeticError:  # a division by a size less one, say
            return True

    def contradicted(self, choices: DimensionChoices, base: Mapping[str, int], least: int = 1) -> dict[str, int] | None:
        """Return the smallest allowed sizes at which the code decides otherwise; None where none are found.

        Args:
            choices: which sizes are allowed.
            base: sizes of all dimensions, for those that do not decide.
            least: none of the sizes that decide is smaller.
        """
        candidates = itertools.islice(_candidates(len(self.names)), _MOST)
        for found in (sizes for sizes in candidates if min(sizes) >= least):
            sizes = choices.nearest({**base, **dict(zip(self.names, found, strict=True))})
            if sizes is not None and not self.holds(sizes):
                return sizes
        return None


def size_decisions(sizes: Sequence[tuple[str, torch.SymInt]]) -> list[SizeDecision]:
    """Return what a program supposes of its sizes, beside their ranges.

    Args:
        sizes: of the dynamic axes of its inputs, with the names of the dimensions.
    """
    if not sizes:
        return []
    import sympy  # noqa: PLC0415 -- a second that a start does not need; torch has it

    names = {size.node.expr: sympy.Symbol(name, integer=True, positive=True) for name, size in sizes}
    asserts = sizes[0][1].node.shape_env.deferred_runtime_asserts.values()
    found: dict[str, SizeDecision] = {}
    for expression in (one.expr for several in asserts for one in several):
        if expression.free_symbols and expression.free_symbols <= names.keys():
            decision = _decision(expression.xreplace(names))
            if decision is not None:
                found[decision.text] = decision
    return list(found.values())


def _decision(expression: Any) -> SizeDecision | None:
    names = tuple(sorted(str(symbol) for symbol in expression.free_symbols))
    try:
        text = PythonPrinter().doprint(expression)
        code, is_equality = compile(text, "<sizes>", "eval"), type(expression).__name__ == "Equality"
        return SizeDecision(names, text, code, is_equality) if names else None
    except Exception:  # an operator on sizes that has no form in Python
        return None


def _candidates(count: int) -> Iterator[tuple[int, ...]]:
    """Yield sizes of so many dimensions, small ones first."""
    if count == 1:
        yield from ((size,) for size in range(1, _LONGEST + 1))
        return
    yield from sorted(itertools.product(_LADDER if count == 2 else _FEW, repeat=count), key=math.prod)
