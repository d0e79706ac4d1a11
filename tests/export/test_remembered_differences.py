"""Answers that several backends give alike are compared once, and any other answers for themselves."""

import numpy as np

from parity_export.gate.comparison import compare
from parity_export.gate.remembered_differences import RememberedDifferences
from tests.export.test_decisions import ROWS, answers_of, expected_of, logits_of
from tests.runtime.test_task_contracts import contract_of

CONTRACT = contract_of("multilabel")
LOGITS = logits_of(CONTRACT)
ROWS_ASKED = np.arange(ROWS)


def test_the_same_answers_are_compared_once_and_say_what_a_comparison_says() -> None:
    known, expected = RememberedDifferences(CONTRACT), expected_of(CONTRACT, LOGITS)
    first = known.compare(answers_of(CONTRACT, LOGITS), expected, ROWS_ASKED)
    assert list(first) == compare(answers_of(CONTRACT, LOGITS), CONTRACT, expected, ROWS_ASKED)
    assert known.compare(answers_of(CONTRACT, LOGITS), expected, ROWS_ASKED) is first


def test_one_value_that_differs_is_seen_after_any_number_of_equal_answers() -> None:
    known, expected = RememberedDifferences(CONTRACT), expected_of(CONTRACT, LOGITS)
    found = answers_of(CONTRACT, LOGITS)
    assert not any(one.outside for one in known.compare(found, expected, ROWS_ASKED))
    found["logits"] = found["logits"].copy()
    found["logits"][ROWS - 1, 0] += 1.0
    assert [one.outside for one in known.compare(found, expected, ROWS_ASKED) if one.output == "logits"] == [1]


def test_the_same_answers_to_other_rows_are_compared_anew() -> None:
    known, expected = RememberedDifferences(CONTRACT), expected_of(CONTRACT, LOGITS)
    found = answers_of(CONTRACT, LOGITS)
    known.compare(found, expected, ROWS_ASKED)
    assert any(one.outside for one in known.compare(found, expected, ROWS_ASKED[::-1]))


def test_what_was_known_is_compared_anew_where_the_expected_answers_change() -> None:
    known, expected = RememberedDifferences(CONTRACT), expected_of(CONTRACT, LOGITS)
    first = known.compare(answers_of(CONTRACT, LOGITS), expected, ROWS_ASKED)
    known.forget()
    assert known.compare(answers_of(CONTRACT, LOGITS), expected, ROWS_ASKED) is not first
    moved = expected_of(CONTRACT, LOGITS + 1.0)
    assert any(one.outside for one in known.compare(answers_of(CONTRACT, LOGITS), moved, ROWS_ASKED))
