"""The model card: README.md of a package, for a person."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from parity_export.error_bounds.bound_report import BoundReport
from parity_export.gate.comparison import COSINE
from parity_export.gate.report import Report
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import TOKENS
from parity_runtime.package.manifest import EVALUATION
from parity_runtime.package.summary import summarize
from parity_runtime.printable import counted, printable
from parity_training.reports.metric_table import Metric, caveat, metrics_in, verdict
from parity_training.reports.number_text import short
from parity_training.well_formed import well_formed

_PLAIN = """```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
inputs = {{{inputs}}}
outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs)))
print(outputs["{output}"])
```"""

_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|[\[`|]")  # what begins HTML, a link, code or a cell

_LINE = 108  # characters of the inputs, so that their line has 120


def model_card(
    contract: ModelContract,
    report: Report,
    proven: BoundReport | None = None,
    plots: Sequence[str] = (),
    notes: Sequence[str] = (),
    evaluation: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    """Return the card as UTF-8 Markdown.

    Args:
        contract: of the model, measured.
        report: of the gate that it passed.
        proven: what is proven, where there is a certified graph.
        plots: paths of the pictures, from the folder that the card lies in.
        notes: how the module was asked, and what of its answers was compared, a line each.
        evaluation: what its run knows of held-out rows; empty where nobody knows.
    """
    sections = [
        f"# {contract.name}",
        _origin(contract),
        "```\n" + "\n".join(line.rstrip() for line in summarize(contract)) + "\n```",
        _evaluated(contract, evaluation),
        "## What was compared",
        _compared(contract, report),
        "\n".join(f"- {note}" for note in notes),
        _proven(contract, proven),
        "\n".join(f"![{PurePosixPath(name).stem}]({name})" for name in plots),
        "Every configuration with its largest deviations is in `parity.json`; `conformance.json` holds test "
        "vectors (inputs and expected outputs) for any language, and `test_data_set_0` the ordinary ones for ONNX's "
        "backend tests.",
        "## Without Parity",
        _PLAIN.format(inputs=_zeros(contract), output=contract.outputs[0].name),
        _cells_note(contract),
        _label_note(contract),
    ]
    return ("\n\n".join(section for section in sections if section) + "\n").encode()


def _origin(contract: ModelContract) -> str:
    """Return where the graph is from; of an adopted one the contract knows the file."""
    if "file" not in contract.provenance:
        return "Exported from PyTorch to ONNX by Parity, and refused unless both compute the same outputs."
    producer = contract.provenance.get("producer")
    by = "" if producer is None else f" that {as_text(str(producer))} wrote"
    return (
        f"Adopted by Parity from an ONNX file{by}, and refused unless onnxruntime computes the same outputs "
        "as the file's own graph, evaluated in float64."
    )


def as_text(text: str) -> str:
    r"""Return text that Markdown shows as it stands: names of a table are no tags, links or cells of the card.

    >>> from parity_export.model_card import as_text
    >>> as_text("<b> or <=50K")
    '\\<b> or <=50K'
    """
    return _MARKUP.sub(r"\\\g<0>", printable(text))


def _evaluated(contract: ModelContract, evaluation: Mapping[str, Any]) -> str:
    """Return the metrics beside the baseline's; nothing of a model that nobody has evaluated."""
    with well_formed("the run", EVALUATION):
        metrics = metrics_in(evaluation)
        if not metrics:
            return ""
        held_out = " on held-out rows" if evaluation.get("part") == "test" else ""
        said = [f"{as_text(sentence[:1].upper() + sentence[1:])}." for sentence in verdict(evaluation, contract)]
        others = "curves, calibration" if contract.is_classifier else "residuals"
        drawn = f"`evaluation.json` holds them, and {others} and importance; `parity report` draws them."
        tables = [_metrics(metrics, evaluation), *_of_targets(evaluation)]
        parts = [f"## How good it is{held_out}", *said, caveat(evaluation), *tables, drawn]
        return "\n\n".join(part for part in parts if part)


def _metrics(metrics: Sequence[Metric], evaluation: Mapping[str, Any]) -> str:
    """Return a table of the metrics, the baseline's beside them where there is one."""
    beside = any(metric.in_baseline for metric in metrics)
    rows = [f"| metric | model |{' baseline |' * beside}", f"|---|---|{'---|' * beside}"]
    for metric in metrics:
        row = f"| {metric.name} | {short(evaluation[metric.name])} |"
        constant = short(evaluation["baseline"][metric.name]) if metric.in_baseline else ""
        rows.append(f"{row} {constant} |" if beside else row)
    return "\n".join(rows)


def _of_targets(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a table for each of several targets: their units differ, and the mean over them says little."""
    baselines = evaluation.get("baseline", {}).get("targets", {})
    tables = []
    for name, found in evaluation.get("targets", {}).items():
        of_one = dict(found) | ({"baseline": baselines[name]} if name in baselines else {})
        tables += [f"Of {as_text(name)}:", _metrics(metrics_in(of_one), of_one)]
    return tables


_GROUPS = {
    "ordinary": "rows of the data, or of the range that training saw; rows where the predicted class changes; and the "
    "rows on which the two sides differ most",
    "wide": "1 to 10 times that range",
    "small": "a tenth to a millionth of that range, around zero",
    "large": "100 to a million times that range; and, of a model that takes dates, dates far from those of training: "
    "turns of months, leap days and centuries from the year -400 to 9999",
    "special": "0, -0, 1, halves, the smallest float32 numbers, and the numbers that the model compares with",
    "extreme": "the largest float32 numbers",
}


def _compared(contract: ModelContract, report: Report) -> str:
    rows = ["| output | inputs | values compared | largest deviation from float64 | outside tolerance |"]
    rows.append("|---|---|---|---|---|")
    compared = dict.fromkeys((found.output, found.group) for result in report.results for found in result.differences)
    for output, group in compared:
        found = report.differences(output, group)
        rows.append(
            f"| {output} | {group} | {sum(one.compared for one in found)} | "
            f"{max(one.max_abs for one in found):.3g} | {sum(one.outside for one in found)} |"
        )
    backends = "onnxruntime and ONNX's reference evaluator"
    where = counted(len(report.results), "configuration")
    judge = report.judge.removesuffix(" in float64")
    table = [f"{where} of {backends} against {judge} in float64:", "\n".join(rows), _legend(contract, compared)]
    if jumps := report.jump_notes():
        lines = "\n".join(f"- {line}" for line in jumps)
        table.insert(2, f"The largest deviations leave out these values:\n\n{lines}")
    if report.encoder:
        table.append(
            f"What the graph makes of text and dates before its network was compared by itself, with a reference in "
            f"Python: {report.encoder_agreement(contract)}."
        )
    return "\n\n".join(table)


_DECIDED = {"tagging": ("tag", "position"), "language_model": ("token", "position")}


def _legend(contract: ModelContract, compared: Iterable[tuple[str, str]]) -> str:
    """Return what the groups of inputs are, and which labels are compared, of what the table shows."""
    outputs, groups = map(set, zip(*compared, strict=True))
    meanings = [f"- *{group}*: {meaning}" for group, meaning in _GROUPS.items() if group in groups]
    notes = []
    if contract.decision is not None:
        what, where = _DECIDED.get(contract.task, ("label", "row"))
        notes.append(
            f"A {what} is compared where the {where} lies farther from the decision than the tolerance of the logits."
        )
    if COSINE in outputs:
        notes.append(
            f"The deviation of `{COSINE}` is 1 less the cosine between a vector and torch's: 0 where they point alike."
        )
    return "\n".join(["The inputs are:", "", *meanings, *(line for note in notes for line in ("", note))])


def _proven(contract: ModelContract, proven: BoundReport | None) -> str:
    """Return what a certified graph proves, and of whom."""
    if proven is None:
        return ""
    of_all = f"{proven.certified} of {counted(proven.rows, 'probe')}"
    labels = f" and `certified` where no compliant backend gives another label ({of_all})"
    return (
        "## What is proven\n\n`model_certified.onnx` gives the same outputs, and beside them `error_bound`, how far "
        f"any compliant backend can be from the exact value (at most {proven.largest_bound:.3g} on ordinary probes)"
        f"{labels if contract.is_classifier else ''}. It speaks for {proven.model.subject()}. How exact the "
        f"elementary functions are is {proven.model.precision()}."
    )


def _zeros(contract: ModelContract) -> str:
    """Return the inputs' entries, on one line where they fit, else a line each."""
    entries = [f'"{spec.name}": {_example(spec)}' for spec in contract.inputs]
    line = ", ".join(entries)
    return line if len(line) <= _LINE else "".join(f"\n    {entry}," for entry in entries) + "\n"


def _example(spec: TensorSpec) -> str:
    """Return the Python of one row of an input: zeros; of text missing cells."""
    shape = [size if isinstance(size, int) else 1 for size in spec.shape]
    if spec.dtype == "string":
        return f'np.full({shape}, "", object)'
    return f"np.zeros({shape}, np.{'bool_' if spec.dtype == 'bool' else spec.dtype})"


def _cells_note(contract: ModelContract) -> str:
    """Return what text and timestamps are in the graph's inputs, for who calls the graph without Parity."""
    kinds = {feature.kind for feature in contract.features}
    lines = ["The last axis of an input holds the columns of its features, in the order of `contract.json`."]
    if kinds & {"categorical", "code"}:
        lines.append(
            '`categories` takes text as it is in the table; a missing cell is `""`, and a text that training has '
            "not seen is an unknown one, never an error."
        )
    if "code" in kinds:
        lines.append("A code is written as its shortest decimal: `3`, never `3.0`.")
    if "datetime" in kinds:
        lines.append("`timestamps` takes seconds since 1970-01-01, UTC; a missing one is -9223372036854775808.")
    return " ".join(lines) if len(lines) > 1 else ""


def _label_note(contract: ModelContract) -> str:
    classes = as_text(", ".join(map(str, contract.classes)))
    match contract.task:
        case "binary" | "multiclass":
            return f"`label` is an index into `classes`: {classes}."
        case "multilabel":
            return f"`labels` says of each of `classes` whether a row has it: {classes}."
        case "tagging":
            return f"`tags` holds, for each position, an index into `classes`: {classes}."
        case "language_model":
            return f"`{TOKENS}` holds, for each position, the index of its largest logit: the most probable next token."
        case "embedding" if contract.unit_norm:
            return "The vectors have the length 1: their dot product is their cosine."
    return ""
