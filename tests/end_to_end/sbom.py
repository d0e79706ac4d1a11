"""The software bill of materials of a release: what an environment that holds it consists of, as CycloneDX JSON."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


def write_sbom(python: str, out: Path, *, validate: bool = True) -> None:
    """Describe the packages that an interpreter sees, Parity as what is made of them; without dates and serial numbers.

    The tool fails where what it would write is no CycloneDX; to validate takes it most of its time.
    """
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "pyproject.toml"
        project.write_text(_with_static_version(python))
        options = ["--pyproject", str(project), "--mc-type", "library", "--output-reproducible"]
        options += ["--validate" if validate else "--no-validate", "--output-file", str(out)]
        subprocess.run([sys.executable, "-m", "cyclonedx_py", "environment", *options, python], check=True)


def check_sbom(file: Path, version: str, needed: tuple[str, ...]) -> None:
    """Say whether a bill names Parity in its version, and what it needs in the versions that constraints.txt holds."""
    bill = json.loads(file.read_text())
    main = bill["metadata"]["component"]
    assert (main["name"], main["version"], _licences(main)) == ("parity-onnx", version, ["Apache-2.0"]), main
    assert "serialNumber" not in bill and "timestamp" not in bill["metadata"]
    components = {component["name"].lower(): component for component in bill["components"]}
    assert all(component["version"] for component in components.values())
    direct = next(entry["dependsOn"] for entry in bill["dependencies"] if entry["ref"] == main["bom-ref"])
    for name in needed:
        component = components[name]
        assert component["version"].partition("+")[0] == _held()[name], component
        assert _licences(component), component
        assert component["bom-ref"] in direct


def _with_static_version(python: str) -> str:
    """Return pyproject.toml with the version that is installed: the tool knows no dynamic one."""
    ask = "import importlib.metadata as m; print(m.version('parity-onnx'))"
    version = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    dynamic, static = 'dynamic = ["version"]', f'version = "{version}"'
    project = (ROOT / "pyproject.toml").read_text()
    assert project.count(dynamic) == 1
    return project.replace(dynamic, static)


def _held() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {name: version for name, held, version in (line.partition("==") for line in lines) if held}


def _licences(component: dict[str, Any]) -> list[str]:
    """Return a component's licences: SPDX ids, expressions, or the names that its authors gave."""
    choices = component.get("licenses", [])
    return [choice.get("expression") or choice["license"].get("id") or choice["license"]["name"] for choice in choices]
