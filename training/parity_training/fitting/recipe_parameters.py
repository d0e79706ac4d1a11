"""A recipe as MLflow's parameters: flat names, each with a short text."""

import json
import re
from collections.abc import Iterator
from typing import Any

LONGEST_VALUE = 6000
"""Characters of a parameter's value, as MLflow allows."""

_PARTS = ("network", "data", "training", "versions")  # what the contract says is among the artifacts
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")  # four of them are no longer than MLflow's 250 characters


def recipe_parameters(recipe: dict[str, Any]) -> dict[str, str]:
    """Return the settings of a recipe's JSON form: ``training.epochs``, ``network.arguments.hidden`` and so on.

    >>> from parity_training.fitting.recipe_parameters import recipe_parameters
    >>> recipe_parameters({"training": {"epochs": 5, "loss": "MSELoss", "optimizer_arguments": {"momentum": 0.9}}})
    {'training.epochs': '5', 'training.loss': 'MSELoss', 'training.optimizer_arguments.momentum': '0.9'}

    A text stands as it is, anything else as JSON; what is longer than MLflow takes is cut, with ``...`` at its end.
    """
    found = {}
    for part in (part for part in _PARTS if part in recipe):
        for name, value in _flat(part, recipe[part], 0):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[name] = text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
    return found


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Give what lies in objects by its path; one whose keys are no names, such as columns, stays whole."""
    if isinstance(value, dict) and value and depth < 3 and all(_NAME.fullmatch(key) for key in value):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}", item, depth + 1)
    else:
        yield name, value
