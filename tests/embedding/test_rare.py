"""Rare probabilities from the Python runtime: exact and monotone, whatever the batch."""

from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from tests.embedding.rare import CASES, ROWS, check_probabilities

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("certified", [False, True])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [1, 3, 64, len(ROWS)])
def test_rare_probabilities_are_exact_and_never_fall(
    rare_packages: dict[str, Path], name: str, batch: int, certified: bool
) -> None:
    predictor = Predictor(rare_packages[name], certified=certified)
    answers = [predictor.run({"z": ROWS[start : start + batch]}) for start in range(0, len(ROWS), batch)]
    logits, probabilities = (np.concatenate([part[key] for part in answers]) for key in ("logits", "probabilities"))
    check_probabilities(name, logits, probabilities)
    bound = [predictor.predict_proba(ROWS[start : start + batch]) for start in range(0, len(ROWS), batch)]
    check_probabilities(name, logits, np.concatenate(bound))
