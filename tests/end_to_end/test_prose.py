"""The linter of prose finds what it should in prose, and nothing in code."""

import json

import pytest
from proselint import checks
from proselint.config import load_from
from proselint.registry import CheckRegistry

from tests.prose import CONFIG, findings


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    CheckRegistry().register_many(checks.__register__)


def test_a_finding_has_its_line() -> None:
    text = "# Title\n\nTitle of the\nthe page.\n\n```sh\necho the the\n```\n\n- We wait\n  for ever.\n"
    found = [(line, what.partition(":")[0]) for line, what in findings(text, load_from(CONFIG))]
    assert [line for line, _ in found] == [3, 11] and found[0][1] == "lexical_illusions", found


@pytest.mark.parametrize(
    "code",
    [
        "```text\nthe the\n```",
        "<!-- the the -->",
        "write `the the` here",
        "write ``the ` the the`` here",
        "[link](the-the/for-ever.md)",
        "the product h h",
    ],
)
def test_code_is_no_prose(code: str) -> None:
    assert list(findings(f"A word.\n\n{code}\n", load_from(CONFIG))) == []


def test_every_check_that_is_off_has_a_reason() -> None:
    config = json.loads(CONFIG.read_text())
    assert config["checks"].keys() == config["reasons"].keys()
    assert [
        name for name in config["checks"] if not any(check.matches_partial(name) for check in checks.__register__)
    ] == []
