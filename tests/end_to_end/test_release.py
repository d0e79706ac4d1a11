"""The version stands in one place, and the CHANGELOG knows it."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import parity_runtime

ROOT = Path(__file__).parent.parent.parent


def test_the_version_is_the_changelogs_newest() -> None:
    headings = re.findall(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = next(heading for heading in headings if heading != "Unreleased")
    assert released == parity_runtime.__version__ == version("parity-onnx")


def test_every_extra_is_held_to_a_version_that_was_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    held = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    wanted = {
        re.split(r"[<>=\[]", requirement)[0]
        for extra, requirements in project["optional-dependencies"].items()
        for requirement in requirements
        if extra != "gpu"
    }
    assert wanted - held == {"parity-onnx"}
