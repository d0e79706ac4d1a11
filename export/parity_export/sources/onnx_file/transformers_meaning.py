"""What transformers say beside an ONNX file: config.json with the network's class and its labels."""

import json
from pathlib import Path
from typing import Any

from onnx import ValueInfoProto

from parity_export.sources.onnx_file.meaning import Meaning
from parity_export.sources.onnx_file.read_file import OnnxFile
from parity_export.sources.output_spec import OutputSpec
from parity_runtime.contract import Task
from parity_runtime.files.open_file import read_regular
from parity_runtime.printable import counted, shown

_CONFIG, _LARGEST = "config.json", 2**24
_TASKS: dict[str, Task] = {
    "ForSequenceClassification": "multiclass",
    "ForImageClassification": "multiclass",
    "ForAudioClassification": "multiclass",
    "ForTokenClassification": "tagging",
    "ForCausalLM": "language_model",
}
_AXES = {"multiclass": 2, "multilabel": 2, "regression": 2, "tagging": 3, "language_model": 3}


def read(file: OnnxFile) -> Meaning | None:
    """Return what transformers say of a file; None where no config.json of theirs lies beside it."""
    config = next(filter(None, map(_config, (file.path.parent, file.path.resolve().parent.parent))), None)
    logits = next((value for value in file.model.graph.output if value.name == "logits"), None)
    if config is None or logits is None:
        return None
    architecture = next((one for one in config.get("architectures") or () if isinstance(one, str)), "")
    ending = next((one for one in _TASKS if architecture.endswith(one)), None)
    if ending is None:
        return None
    labels = _labels(config)
    task = _task(config, _TASKS[ending], labels)
    if not _fits(logits, task, labels):
        return None
    classes = labels if task not in ("regression", "language_model") else ()
    what = f"the task {task}" + (f" and {counted(len(classes), 'class')} are" if classes else " is")
    output = "logits" if task not in ("regression", "language_model") else ["logits"]
    said = f"{what} from transformers' {_CONFIG} ({shown(architecture)[1:-1]})"
    return Meaning(OutputSpec(task, output, classes), "logits", (said,))


def _task(config: dict[str, Any], task: Task, labels: tuple[str, ...]) -> Task:
    kind = config.get("problem_type")
    if task == "multiclass" and kind == "multi_label_classification":
        return "multilabel"
    return "regression" if task == "multiclass" and (kind == "regression" or len(labels) == 1) else task


def _fits(logits: ValueInfoProto, task: Task, labels: tuple[str, ...]) -> bool:
    """Whether an output has the axes of a task, and as many logits as there are labels."""
    dims = logits.type.tensor_type.shape.dim
    if len(dims) != _AXES[task]:
        return False
    return task in ("regression", "language_model") or dims[-1].dim_value in (0, len(labels))


def _labels(config: dict[str, Any]) -> tuple[str, ...]:
    """Return the labels by index; none where they are not all there."""
    told = config.get("id2label")
    if not isinstance(told, dict):
        return ()
    labels = tuple(str(told[str(index)]) for index in range(len(told)) if str(index) in told)
    return labels if len(labels) == len(told) == len(set(labels)) else ()


def _config(folder: Path) -> dict[str, Any] | None:
    try:
        data = read_regular(folder / _CONFIG, _LARGEST)
        config = json.loads(data) if len(data) <= _LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) and isinstance(config.get("model_type"), str) else None
