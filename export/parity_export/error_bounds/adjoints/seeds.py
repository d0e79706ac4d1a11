"""From which answers of a row the backward pass goes back: all of a few, of many the label and its runners-up."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound_graph import BoundBuilder

MOST = 16
"""Answers of a row. The pass costs about as much for each as the graph itself."""


@dataclass(frozen=True)
class Seeds:
    """Answers from which the pass goes back.

    Attributes:
        rows: ``[batch or 1, count, answers]``, 1 in the place of an answer, 0 elsewhere.
        count: how many.
        apart: ``[batch or 1, count, count]``, e_j - e_label; None where there is no label.
        label: ``[batch, 1]``, where among them the label is.
        places: ``[batch, count]``, which answers they are; None where they are all, in order.
    """

    rows: ir.Value
    count: int
    apart: ir.Value | None = None
    label: ir.Value | None = None
    places: ir.Value | None = None

    def merged(self, builder: BoundBuilder, found: ir.Value, known: ir.Value) -> ir.Value:
        """Return the smaller of two bounds ``[batch, answers]``, of which one is known of these answers alone.

        Args:
            builder: the graph.
            found: ``[batch, count]``, of these answers; NaN or infinite where it says nothing.
            known: of all.
        """
        if self.places is None:
            return smaller(builder, found, known)
        before = builder.emit("GatherElements", [known, self.places], {"axis": 1})
        return builder.emit("ScatterElements", [known, self.places, smaller(builder, found, before)], {"axis": 1})


def all_answers(builder: BoundBuilder, count: int, label: ir.Value | None) -> Seeds:
    """Return every answer.

    Args:
        builder: the graph.
        count: how many there are.
        label: ``[batch, 1]``; None where there is none.
    """
    everything = builder.initializer(np.eye(count, dtype=np.float32)[None])
    if label is None:
        return Seeds(everything, count)
    one = _ones(builder, label, count)
    chosen = builder.emit("Unsqueeze", [one, builder.initializer(np.array([1]))])
    return Seeds(everything, count, builder.emit("Sub", [everything, chosen]), label)


def runners_up(builder: BoundBuilder, label: ir.Value, count: int, missing: ir.Value) -> Seeds:
    """Return the label and the classes that are hardest to tell from it.

    Args:
        builder: the graph.
        label: ``[batch, 1]``.
        count: of classes.
        missing: ``[batch, count]``, how much a margin would have to be larger for the forward bound.
    """
    others = builder.topmost(missing, MOST - 1)
    places = builder.emit("Concat", [label, others], {"axis": 1})
    axis = builder.initializer(np.array([2]))
    rows = _ones(builder, builder.emit("Unsqueeze", [places, axis]), count)
    apart = np.eye(MOST, dtype=np.float32) - np.eye(MOST, dtype=np.float32)[:1]
    first = builder.emit("Sub", [label, label])
    return Seeds(rows, MOST, builder.initializer(apart[None]), first, places)


def _ones(builder: BoundBuilder, places: ir.Value, count: int) -> ir.Value:
    """Return 1 in some places of the last axis, and 0 elsewhere."""
    found = builder.emit("Equal", [places, builder.initializer(np.arange(count))])
    return builder.emit("Cast", [found], {"to": ir.DataType.FLOAT})


def smaller(builder: BoundBuilder, found: ir.Value, known: ir.Value) -> ir.Value:
    """Return the smaller of two bounds, the second where the first is NaN or the second infinite."""
    infinite = builder.initializer(np.array([[np.inf]], np.float32))
    both = [builder.emit("Less", [found, known]), builder.emit("Less", [known, infinite])]
    return builder.emit("Where", [builder.emit("And", both), found, known])
