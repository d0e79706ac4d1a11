"""What the writers of an ONNX file say of its meaning: ultralytics and sklearn-onnx in it, transformers beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from parity_export.sources.onnx_file import sklearn_meaning, transformers_meaning, ultralytics_meaning
from parity_export.sources.onnx_file.meaning import Meaning
from parity_export.sources.onnx_file.read_file import OnnxFile
from parity_export.sources.output_spec import OutputSpec

_READERS = (ultralytics_meaning.read, sklearn_meaning.read, transformers_meaning.read)


def published_meaning(file: OnnxFile) -> Meaning:
    """Return what a file's writers say of it; nothing where they say nothing."""
    return next((found for found in (read(file) for read in _READERS) if found is not None), Meaning())


@dataclass(frozen=True)
class ChosenMeaning:
    """What an adopted graph's outputs mean, and who says so.

    Attributes:
        output_spec: a person's, or the writers'.
        value: the value inside of the graph that is meant, where none of its outputs is.
        inputs: what the writers say of inputs, as specifications.
        notes: what was taken from where, a line each.
    """

    output_spec: OutputSpec
    value: str | None = None
    inputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def chosen_meaning(file: OnnxFile, given: OutputSpec | None, inputs: Sequence[str]) -> ChosenMeaning:
    """Return a person's choice, and what the writers say where a person says nothing.

    Args:
        file: whose writers are asked.
        given: a person's; None asks the writers.
        inputs: a person's specifications.
    """
    found = published_meaning(file)
    names = {text.partition(":")[0].strip() for text in inputs}
    theirs = tuple(text for text in found.inputs if text.partition(":")[0].strip() not in names)
    notes = tuple(note for text, note in zip(found.inputs, found.input_notes, strict=True) if text in theirs)
    if given is not None or found.output_spec is None:
        told = () if given is not None else found.notes
        return ChosenMeaning(given or OutputSpec(), None, theirs, (*told, *notes))
    return ChosenMeaning(found.output_spec, found.value, theirs, (*found.notes, *notes))
