"""Triton's own protobuf reads a repository, in an environment of its own: python triton_configs.py FOLDER JSON."""

import json
import sys
from pathlib import Path

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

TYPES = {"FP32": 4, "INT64": 8, "BOOL": 1}


def size_of(value: dict) -> int | None:
    """Return how many bytes a file of the warm-up has at least; None of text."""
    size = TYPES.get(value["dataType"].removeprefix("TYPE_"))
    for dim in value["dims"]:
        size = size and size * int(dim)
    return size


def check(folder: Path, max_rows: int) -> None:
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == (folder.name, "onnxruntime", max_rows)
    assert config.HasField("dynamic_batching") == (max_rows > 0)
    assert not any(len(one.reshape.shape) for one in [*config.input, *config.output])
    assert all(len(one.dims) for one in [*config.input, *config.output])
    (sample,) = config.model_warmup
    assert sample.batch_size == 1 and set(sample.inputs) == {one.name for one in config.input}
    for one in config.input:
        told = json_format.MessageToDict(sample.inputs[one.name])
        assert sample.inputs[one.name].data_type == one.data_type
        data = (folder / "warmup" / told["inputDataFile"]).read_bytes()
        assert size_of(told) in {None, len(data)}, told
    for one in config.output:
        assert not one.label_filename or len((folder / one.label_filename).read_text().splitlines()) == one.dims[0]


found = json.loads(sys.argv[2])
for name, rows in found.items():
    check(Path(sys.argv[1]) / name, rows)
assert len(found) > 3
