"""What everything needs: Python, Parity itself, numpy, click and onnxruntime."""

import importlib.util
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from parity_runtime.doctor.finding import Finding
from parity_runtime.doctor.machine import shows_gpu
from parity_runtime.doctor.pip_commands import ENVIRONMENT, NAME, checkout, is_managed, pip_install, pip_replace
from parity_runtime.doctor.requirement import Requirement, installed_version
from parity_runtime.version import __version__

RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
"""The wheels of onnxruntime, of which one may be installed."""


def own_distribution() -> Distribution | None:
    """Return what is installed of Parity; None where its code runs from a folder, or its metadata cannot be read."""
    return distribution(NAME) if installed_version(NAME) else None


def own_requirements() -> list[Requirement]:
    """Return what Parity needs on this Python and system, that of its extras included."""
    own = own_distribution()
    read = [Requirement.parse(line) for line in (own and own.requires) or ()]
    return [requirement for requirement in read if requirement.applies]


def check_core() -> Iterator[Finding]:
    """Yield a finding for each thing that `parity predict` needs; onnxruntime's wheel, but not whether it works."""
    own = own_distribution()
    yield _python(Requirement.parse(f"Python{(own and own.metadata['Requires-Python']) or ''}"))
    yield _own(own)
    for requirement in own_requirements():
        if requirement.extra is None:
            yield _needed(requirement)
    yield _runtime({each.name: found for each in _runtimes() if (found := each.installed)})


def _python(requirement: Requirement) -> Finding:
    found = f"{platform.python_version()}{_told(requirement)}, {sys.executable}"
    if is_managed():
        found += (
            f"; managed by its system, pip installs nothing into it: what mends makes {ENVIRONMENT}, an environment"
        )
    fits = requirement.allows(platform.python_version())
    return Finding("core", "Python", "ok" if fits else "error", found)


def _told(requirement: Requirement) -> str:
    return f" (needed: {requirement.range})" if requirement.range else ""


def _runtimes() -> list[Requirement]:
    known = {each.name: each for each in own_requirements()}
    return [known.get(name) or Requirement.parse(name) for name in RUNTIMES]


def _own(own: Distribution | None) -> Finding:
    place = f"{__version__}, {Path(__file__).parent.parent}"
    if own is not None and own.version == __version__:
        return Finding("core", NAME, "ok", place)
    there = "none" if own is None else f"that of {own.version}"
    told = f"{place}; the metadata installed is {there}: which extras and versions this code needs is unknown"
    folder = checkout()
    return Finding("core", NAME, "warning", told, pip_install([f"{folder}[cpu]"]) if folder else "")


def _needed(requirement: Requirement) -> Finding:
    installed, name, needed = requirement.installed, requirement.name, _told(requirement)
    if installed is not None and requirement.allows(installed):
        return Finding("core", name, "ok", f"{installed}{needed}")
    return Finding("core", name, "error", f"{installed or 'not installed'}{needed}", pip_install([str(requirement)]))


def _runtime(installed: dict[str, str]) -> Finding:
    """Return the finding of onnxruntime's wheels, of which there must be one."""
    if not installed and importlib.util.find_spec("onnxruntime"):
        return Finding("core", "onnxruntime", "ok", f"from another wheel than {' or '.join(RUNTIMES)}")
    if not installed:
        found = "not installed: no package can be opened for predictions"
        return Finding("core", "onnxruntime", "error", found, pip_install([str(_runtimes()[0])]))
    if len(installed) > 1:
        both = " and ".join(f"{name} {found}" for name, found in installed.items())
        found = f"{both} are both installed and overwrite each other's files"
        return Finding("core", "onnxruntime", "warning", found, keep_one_runtime())
    (name,) = installed
    return _needed(next(each for each in _runtimes() if each.name == name))


def keep_one_runtime() -> str:
    """Return the command that leaves one of onnxruntime's wheels: the one for this machine."""
    return pip_replace(RUNTIMES, [str(_runtimes()[shows_gpu()])])
