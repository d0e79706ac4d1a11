"""Which copies of OpenMP one process has that imports all that computes: wheels bring their own."""

import importlib.util
import sys
from collections.abc import Iterator

from parity_runtime.doctor.finding import Finding
from parity_runtime.doctor.own_process import PYTHON, QUIET, TELL, found_by

_COMPUTE = ("onnxruntime", "torch", "sklearn")
_SECONDS = 120.0
_LOADED = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
with open("/proc/self/maps") as file:
    paths = {line.split(None, 5)[5].strip() for line in file if line.count("/")}
kinds = ("libgomp", "libiomp", "libomp")
copies = sorted(path for path in paths if path.rpartition("/")[2].startswith(kinds))
tell({"copies": copies})
"""


def check_openmp() -> Iterator[Finding]:
    """Yield what is loaded of OpenMP where two libraries that compute are imported; nothing elsewhere than on Linux.

    LLVM's and Intel's in one process may crash or wait for ever; copies of GNU's only start more threads
    (threadpoolctl, multiple_openmp.md).
    """
    there = [name for name in _COMPUTE if importlib.util.find_spec(name)]
    if sys.platform != "linux" or len(there) < 2:
        return
    found = found_by([*PYTHON, "-c", TELL + _LOADED, *there], _SECONDS, QUIET)
    together = f"{', '.join(there)} in one process"
    if isinstance(found, str):
        yield Finding("machine", "OpenMP", "warning", f"{together} {found}")
        return
    names = [path.rpartition("/")[2] for path in found["copies"]]
    told = f"{together} load {', '.join(names) or 'none'}"
    if {"libiomp", "libomp"} <= {name.partition(".")[0].partition("-")[0].rstrip("0123456789") for name in names}:
        told += "; Intel's and LLVM's may crash or wait for ever: install all from one source, wheels or conda"
        yield Finding("machine", "OpenMP", "warning", told)
        return
    yield Finding("machine", "OpenMP", "ok", told)
