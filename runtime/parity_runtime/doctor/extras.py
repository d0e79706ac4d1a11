"""Which of Parity's extras are installed and work."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from parity_runtime.doctor.core import own_requirements
from parity_runtime.doctor.finding import Finding
from parity_runtime.doctor.own_process import failed_imports
from parity_runtime.doctor.pip_commands import pip_install, pip_reinstall
from parity_runtime.doctor.requirement import Requirement, with_extras
from parity_runtime.engines.java import LOWEST_JAVA, NEEDED_JAVA, find_java, place_of_java

_ALTERNATIVES = {"cpu", "gpu"}  # of the core
_CONTRIBUTORS = {"bench", "dev", "fuzz"}  # of those who work on Parity
_APART = {"mlflow": "; it does not accept a recent pyarrow, and needs an environment of its own"}
_MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}
_JAVA_SECONDS = 20.0


def check_extras(*, deep: bool) -> Iterator[Finding]:
    """Yield a finding for each extra.

    Args:
        deep: import what each brings, in a process of its own; else its metadata is looked at.
    """
    wanted: dict[str, list[Requirement]] = {}
    for requirement in own_requirements():
        if requirement.extra is not None and requirement.extra not in _ALTERNATIVES | _CONTRIBUTORS:
            wanted.setdefault(requirement.extra, []).append(requirement)
    for extra, requirements in wanted.items():
        finding = _installed(extra, [each for one in requirements for each in with_extras(one)])
        if finding.level == "ok" and extra == "spark":
            finding = _with_java(finding)
        if finding.level == "ok" and deep:
            finding = _imported(finding, requirements)
        yield finding


def _installed(extra: str, requirements: list[Requirement]) -> Finding:
    found = {each: each.installed for each in requirements}
    missing = [each for each, version in found.items() if version is None]
    if missing:
        names = ", ".join(dict.fromkeys(each.name for each in missing))
        return Finding("extras", extra, "absent", f"not installed: {names}{_APART.get(extra, '')}", _remedy(missing))
    unfit = [each for each, version in found.items() if version is not None and not each.allows(version)]
    if unfit:
        told = ", ".join(f"{each.name} {found[each]} (needed: {each.range})" for each in unfit)
        return Finding("extras", extra, "warning", told, _remedy(unfit))
    told = ", ".join(dict.fromkeys(f"{each.name} {version}" for each, version in found.items()))
    return Finding("extras", extra, "ok", told)


def _remedy(requirements: list[Requirement]) -> str:
    return pip_install(dict.fromkeys(map(str, requirements)))


def _with_java(finding: Finding) -> Finding:
    """Return the finding of Spark's packages, or that the Java which Spark needs beside them is not there."""
    java = find_java()
    version = java and _java_version(java)
    if version and version >= LOWEST_JAVA:
        return replace(finding, found=f"{finding.found}, Java {version}")
    told = f"Java {version}" if version else "a Java that does not say its version" if java else "none"
    remedy = "unset JAVA_HOME" if "JAVA_HOME" in os.environ and not java else ""
    return replace(finding, level="warning", found=f"{NEEDED_JAVA}; there is {told} {place_of_java()}", remedy=remedy)


def _java_version(java: str) -> int | None:
    command = [java, "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_JAVA_SECONDS)  # noqa: S603 -- what Spark runs
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found else None


def _imported(finding: Finding, requirements: list[Requirement]) -> Finding:
    """Return the finding of an extra, or what happens when it is imported."""
    modules = [_MODULES.get(each.name, each.name.replace("-", "_")) for each in requirements]
    again = pip_reinstall(map(str, requirements))
    told = failed_imports(modules)
    if isinstance(told, str):
        return replace(finding, level="warning", found=f"importing {', '.join(modules)} {told}", remedy=again)
    if told:
        reasons = "; ".join(f"{name} cannot be imported ({reason})" for name, reason in told.items())
        return replace(finding, level="warning", found=reasons, remedy=again)
    return replace(finding, found=f"{finding.found}; imported")
