"""Which onnxruntime is old enough, and which is too old, for a graph."""

import functools

import onnx
from onnx import TensorProto, helper

from parity_runtime import FormatError, InputError
from parity_runtime.arguments import argument
from parity_runtime.errors import first_line
from parity_runtime.inference.session import create_session, import_onnxruntime

_RELEASES = (
    ("1.14", 18, 8),
    ("1.15", 19, 9),
    ("1.17", 20, 9),
    ("1.18", 21, 10),
    ("1.21", 22, 10),
    ("1.22", 23, 11),
    ("1.24", 24, 12),
)
"""(onnxruntime, newest ai.onnx opset, newest IR version), from onnxruntime's version matrix and the ONNX release
that each one builds with (onnx.helper.VERSION_TABLE gives the opset and IR of an ONNX release). Later releases are
known by being asked, where they are installed."""

ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 4
"""The domain and the opset of LabelEncoder, by which an encoder turns text into indices."""

_ML_RELEASE = "1.17"
"""The first onnxruntime with the LabelEncoder of that opset: it builds with ONNX 1.15, which brought it."""

_ML_RELEASES = ((3, "1.14"), (ML_OPSET, _ML_RELEASE), (5, "1.21"))
"""(newest ai.onnx.ml opset, onnxruntime): 1.20.1 lacks the TreeEnsemble of 5 in double, 1.21.1 has it."""


def check_loads(opset: int, ir_version: int, *, text: bool = False) -> None:
    """Ask the installed onnxruntime whether it loads a graph of an opset and an IR version.

    Args:
        opset: of ai.onnx.
        ir_version: of the file.
        text: whether the graph takes text, by the LabelEncoder of `ML_OPSET`.

    Raises:
        InputError: it does not, so that nothing could be compared.
    """
    try:
        _load(opset, ir_version)
    except FormatError as error:
        raise InputError(
            f"the installed onnxruntime does not load opset {opset} with IR version {ir_version}, so nothing could be "
            f"compared: choose a lower {argument('opset')} or {argument('ir_version')}, or install a newer one "
            f"({first_line(error)})"
        ) from error
    if text and _version(import_onnxruntime().__version__) < _version(_ML_RELEASE):
        raise InputError(
            f"the installed onnxruntime {import_onnxruntime().__version__} has no LabelEncoder of {ML_DOMAIN} "
            f"{ML_OPSET}, which columns of text take: pip install 'onnxruntime>={_ML_RELEASE}'"
        )


@functools.cache
def _load(opset: int, ir_version: int) -> None:
    """Load a graph of an opset and an IR version; an export asks twice, and the answer stays what it is."""
    create_session(_tiny_graph(opset, ir_version))


def oldest_onnxruntime(opset: int, ir_version: int, ml_opset: int | None = None) -> str:
    """Return the oldest onnxruntime release (major.minor) that is known to load an opset and an IR version.

    That is the installed one at the latest.

    Args:
        opset: of ai.onnx.
        ir_version: of the file.
        ml_opset: of ai.onnx.ml, where the graph has any of its operators.

    Raises:
        InputError: the installed one does not.
    """
    check_loads(opset, ir_version)
    installed = ".".join(import_onnxruntime().__version__.split(".")[:2])
    known = [release for release, newest, newest_ir in _RELEASES if opset <= newest and ir_version <= newest_ir]
    oldest = min([*known, installed], key=_version)
    if ml_opset is None:
        return oldest
    return max(
        oldest, next((release for newest, release in _ML_RELEASES if ml_opset <= newest), installed), key=_version
    )


def _version(release: str) -> tuple[int, ...]:
    """Return major and minor of a release."""
    return tuple(map(int, release.split(".")[:2]))


def _tiny_graph(opset: int, ir_version: int) -> bytes:
    """Return a graph that gives its input as it is."""
    given, copied = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "tiny", [given], [copied])
    opsets = [helper.make_opsetid(onnx.defs.ONNX_DOMAIN, opset)]
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version).SerializeToString()
    return model
