"""The name, dtype and shape of a tensor that goes into or comes out of a model."""

import keyword
import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from parity_runtime.errors import FormatError, InputError
from parity_runtime.printable import shown

DTYPES = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "string")
"""The element types that a package may take or give, by numpy's names; text is ``string``."""

_SPEC = re.compile(
    r"\s*(?P<name>[A-Za-z_][\w.\-]*)\s*:\s*(?P<dtype>\w+)\s*\[(?P<shape>[^\]]*)\]\s*(?P<domain>.*)", re.DOTALL
)
_DIMENSION = re.compile(r"[\w +*/()-]+")  # a name, or an output's "2*time"
_LONGEST_DOMAIN = 200  # characters


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The name, dtype and shape of an input or output, and what an input may hold.

    >>> from parity_runtime import TensorSpec
    >>> TensorSpec.parse("image: float32[batch, 3, 32, 32]")
    TensorSpec(name='image', dtype='float32', shape=('batch', 3, 32, 32))

    Attributes:
        name: its name in the graph.
        dtype: ``float32``, ``float64``, ``float16``, ``int64``, ``int32``, ``int16``, ``int8``, ``uint8``, ``bool``, or
            ``string`` for text.
        shape: its sizes, such as ``("batch", 3, 32, 32)``. A fixed size is an integer; a dynamic one is a name, which
            stands for the same size everywhere in one call. A size of an output may be an expression, ``2*time``.
        domain: what an input may hold, as text, such as ``in 0..1``. The model was compared with torch only on such
            inputs. A predictor does not enforce it. Empty if nothing was specified.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    domain: str = ""

    def __repr__(self) -> str:
        domain = f", domain={self.domain!r}" if self.domain else ""
        return f"TensorSpec(name={self.name!r}, dtype={self.dtype!r}, shape={self.shape!r}{domain})"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise FormatError(
                f"tensor {shown(self.name)} has the dtype {shown(self.dtype)}; known are {', '.join(DTYPES)}"
            )
        for size in self.shape:
            dynamic = isinstance(size, str) and _DIMENSION.fullmatch(size) and not size.isdecimal()
            fixed = isinstance(size, int) and not isinstance(size, bool) and 1 <= size < 2**63
            if not (dynamic or fixed):
                raise FormatError(
                    f"tensor {shown(self.name)} has the dimension {shown(size)}, neither a size nor a name"
                )
        if not self.domain.isprintable() or len(self.domain) > _LONGEST_DOMAIN:
            raise FormatError(
                f"tensor {shown(self.name)} has the domain {shown(self.domain)}, which does not print in a line"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the tensor that a line of text describes, in the notation of the command line.

        >>> from parity_runtime import TensorSpec
        >>> TensorSpec.parse("image: float32[batch, 3, 32, 32] in 0..1").domain
        'in 0..1'

        Args:
            text: name, dtype and shape, such as ``"image: float32[batch, 3, 32, 32]"``; a domain may follow.

        Raises:
            InputError: the text does not have this form.
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            raise InputError(f'{shown(text)} is not a tensor; write "name: float32[batch, 3]"')
        sizes = [part.strip() for part in match["shape"].split(",")] if match["shape"].strip() else []
        shape = tuple(int(size) if size.isdecimal() and len(size) < 20 else size for size in sizes)
        for size in shape:
            if isinstance(size, str) and (not size.isidentifier() or keyword.iskeyword(size)):
                raise InputError(f"{shown(text)}: {shown(size)} is neither a size nor a name; is a comma missing?")
        try:
            return cls(match["name"], match["dtype"], shape, match["domain"].strip())
        except FormatError as error:
            raise InputError(f"{shown(text)}: {error}") from error

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype of its numpy arrays; text is in arrays of dtype object."""
        return np.dtype(object if self.dtype == "string" else self.dtype)

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]{self.domain and ' ' + self.domain}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with the keys ``name``, ``dtype``, ``shape``, and ``domain`` unless it is empty."""
        domain = {"domain": self.domain} if self.domain else {}
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape), **domain}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the tensor of a JSON form; unknown keys are ignored.

        Args:
            value: the JSON form, as ``json.loads`` reads it.

        Raises:
            FormatError: a key is missing or of another type.
        """
        match value:
            case {"name": str(name), "dtype": str(dtype), "shape": list(shape)}:
                domain = value.get("domain", "")
                if not isinstance(domain, str):
                    raise FormatError(f"tensor {shown(name)} has the domain {shown(domain)}, which is not text")
                return cls(name, dtype, tuple(shape), domain)
        raise FormatError(f"a tensor is written as {{name, dtype, shape}}, found {shown(value)}")
