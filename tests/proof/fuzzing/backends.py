"""The onnxruntime processes that a graph is asked of."""

import io
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity_runtime.inference.session import OPTIMIZATIONS

WORKER = Path(__file__).with_name("worker.py")
DENORMALS = ("kept", "flushed")


@dataclass
class Backend:
    """One process: an onnxruntime, with subnormal numbers kept or flushed.

    Attributes:
        denormals: ``kept`` or ``flushed``.
        process: reads and writes what worker.py says.
        version: of its onnxruntime, known after the first answer.
    """

    denormals: str
    process: subprocess.Popen[bytes]
    version: str = "?"

    @classmethod
    def start(cls, python: str, denormals: str) -> "Backend":
        """Start a process.

        Args:
            python: the interpreter whose onnxruntime is asked.
            denormals: ``kept`` or ``flushed``.
        """
        command = [python, "-I", str(WORKER), denormals]  # without the folder of this file on its path
        return cls(denormals, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def send(self, graphs: dict[str, bytes], rows: np.ndarray, levels: Sequence[str] = OPTIMIZATIONS) -> None:
        """Ask some rows of some graphs, each at some optimization levels."""
        data = io.BytesIO()
        serialized = {name: np.frombuffer(graph, np.uint8) for name, graph in graphs.items()}
        np.savez(data, rows=rows, levels=np.array(levels), **serialized)
        self.process.stdin.write(struct.pack("<q", data.getbuffer().nbytes) + data.getvalue())
        self.process.stdin.flush()

    def receive(self) -> dict[str, np.ndarray]:
        """Return every output, as ``graph|level|output``.

        Raises:
            RuntimeError: it has ended, which onnxruntime does where it crashes.
        """
        head = self.process.stdout.read(8)
        if len(head) < 8:
            raise RuntimeError(f"onnxruntime {self.version}, denormals {self.denormals}, ended: {self.process.wait()}")
        found = dict(np.load(io.BytesIO(self.process.stdout.read(*struct.unpack("<q", head)))))
        self.version = str(found.pop("version"))
        return found

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Backends:
    """Every onnxruntime that is at hand, subnormal numbers kept and flushed.

    Args:
        pythons: interpreters, each with an onnxruntime.
    """

    def __init__(self, pythons: Sequence[str] = (sys.executable,)) -> None:
        self._all = [Backend.start(python, denormals) for python in pythons for denormals in DENORMALS]

    def __enter__(self) -> "Backends":
        return self

    def __exit__(self, *_: object) -> None:
        for backend in self._all:
            backend.close()

    def ask(self, graphs: dict[str, bytes], rows: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """Return every output of every graph at every optimization level, by backend and ``graph|level|output``."""
        for backend in self._all:
            backend.send(graphs, rows)
        found = [(backend, backend.receive()) for backend in self._all]
        return {f"onnxruntime {backend.version}, denormals {backend.denormals}": arrays for backend, arrays in found}
