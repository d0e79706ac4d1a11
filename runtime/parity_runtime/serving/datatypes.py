"""The datatypes of the Open Inference Protocol, by numpy's names and back."""

from typing import Any

import numpy as np

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
"""The protocol's name of each dtype that a client may send or get; BYTES is text, in UTF-8."""

BYTES = DATATYPES["string"]

NUMPY_DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(object if dtype == "string" else dtype).newbyteorder("<") for dtype, name in DATATYPES.items()
}
"""The dtype of an array of each datatype, little-endian as the binary extension has it; text lies in objects."""


_NAMES = {np.dtype(dtype): name for dtype, name in DATATYPES.items() if dtype != "string"}


def datatype_of(dtype: "np.dtype[Any]") -> str:
    """Return the protocol's name of an array's dtype; text (``object`` or numpy's ``U``) is BYTES.

    >>> import numpy as np
    >>> datatype_of(np.dtype("float32")), datatype_of(np.dtype("U3"))
    ('FP32', 'BYTES')
    """
    return _NAMES.get(dtype, BYTES)
