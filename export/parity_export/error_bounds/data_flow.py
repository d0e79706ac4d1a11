"""What a computation is made of: its operations, each by its name and by what it is given.

A value's *print* is a sha256 over the operation that gives it and the prints of its operands; a constant's is one over
its numbers, in any order. Elements that are only moved keep their print, so that two computations with the same
operations and prints compute the same from the same values: which element stands where is not part of it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_COMMUTING = ("add", "mul")
_PART = 2**16  # numbers that are mixed at a time: each takes 8 bytes, several times
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
"""Odd numbers of no pattern, as in SplitMix64 and xxHash: they spread the bits of a number over 64."""


@dataclass
class Flow:
    """Operations in the order in which they were met.

    Attributes:
        operations: a name and the print of the result.
    """

    operations: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, names: Sequence[str], operands: Sequence[bytes]) -> bytes:
        """Record operations on operands and return the print of the result.

        Args:
            names: one operation of all operands; or a product of the first two, and then a sum with the third.
            operands: their prints.
        """
        first, *rest = names
        count = len(operands) - len(rest)
        value = self._record(first, operands[:count])
        for name, operand in zip(rest, operands[count:], strict=True):
            value = self._record(name, (value, operand))
        return value

    def leave_out(self, result: bytes) -> None:
        """Forget the last operation that gives a result."""
        index = max(index for index, (_, value) in enumerate(self.operations) if value == result)
        del self.operations[index]

    def _record(self, name: str, operands: Sequence[bytes]) -> bytes:
        value = joined(name, sorted(operands) if name in _COMMUTING else operands)
        self.operations.append((name, value))
        return value


def joined(name: str, operands: Sequence[bytes]) -> bytes:
    """Return the print of what an operation makes of operands."""
    return hashlib.sha256(b"\0".join([name.encode(), *operands])).digest()


def content(array: NDArray[np.generic]) -> bytes:
    """Return the print of a constant: the same for the same numbers in any order, or one number repeated."""
    bits = np.ascontiguousarray(array, np.float32).reshape(-1).view(np.uint32)
    if bits.size and (bits == bits[0]).all():
        bits = bits[:1]
    total = np.zeros(1, np.uint64)
    for start in range(0, bits.size, _PART):
        total += _mixed(bits[start : start + _PART].astype(np.uint64))
    return joined(f"constant of {bits.size}", [total.tobytes()])


def _mixed(bits: NDArray[np.uint64]) -> np.uint64:
    mixed = (bits + _FIRST) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _SECOND
    return np.uint64((mixed ^ (mixed >> np.uint64(32))).sum(dtype=np.uint64))


def digest(array: NDArray[np.generic]) -> bytes:
    """Return the sha256 of an array's bytes: the same for the same elements in the same order."""
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).digest()
