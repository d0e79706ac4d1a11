"""Runs graphs on one onnxruntime, in a process of its own; needs numpy and onnxruntime alone.

    python worker.py kept|flushed

reads requests from stdin, ``.npz`` files each after its length: ``rows``, the names of optimization ``levels``, and any
other array a serialized graph by its name. It answers every output of every graph as ``graph|level|output``, or why
there is none as ``graph|level|error``. Whether a process flushes subnormal numbers is decided by its first session
alone, so that there are two processes, one for each.
"""

import io
import os
import struct
import sys

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


def session(graph, level, flushed):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[level])
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.set_denormal_as_zero", str(int(flushed)))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def answer(request, flushed):
    rows, levels = {"features": request.pop("rows")}, request.pop("levels")
    found = {}
    for name, graph in request.items():
        for level in levels:
            try:
                made = session(graph.tobytes(), str(level), flushed)
                outputs = [output.name for output in made.get_outputs()]
                arrays = made.run(outputs, rows)
            except Exception as error:  # onnxruntime's own
                found[f"{name}|{level}|error"] = np.array(str(error))
            else:
                found |= {f"{name}|{level}|{output}": array for output, array in zip(outputs, arrays, strict=True)}
    return found


def main():
    flushed = sys.argv[1] == "flushed"
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what else is printed must not stand among the answers
    while head := stdin.read(8):
        request = dict(np.load(io.BytesIO(stdin.read(*struct.unpack("<q", head)))))
        data = io.BytesIO()
        np.savez(data, version=onnxruntime.__version__, **answer(request, flushed))
        stdout.write(struct.pack("<q", data.getbuffer().nbytes) + data.getvalue())
        stdout.flush()


if __name__ == "__main__":
    main()
