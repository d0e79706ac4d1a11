"""What the rows of an evaluation are called."""

PARTS = {"test": "held-out rows", "validation": "validation rows", "train": "training rows"}
"""By the ``part`` of evaluation.json."""
