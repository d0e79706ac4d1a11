"""The meaning of a file's outputs and inputs, as its writers say it."""

from dataclasses import dataclass

from parity_export.sources.output_spec import OutputSpec


@dataclass(frozen=True)
class Meaning:
    """What a file's writers say of it.

    Attributes:
        output_spec: what its outputs mean; None where that is not said, or nothing that a task has.
        value: the value inside of the graph that is meant, where none of its outputs is.
        notes: what was taken from where, a line each.
        inputs: specifications of inputs that are more than the graph says.
        input_notes: where each of them is from.
    """

    output_spec: OutputSpec | None = None
    value: str | None = None
    notes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    input_notes: tuple[str, ...] = ()
