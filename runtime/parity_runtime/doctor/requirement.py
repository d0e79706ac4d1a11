"""Requirements as distributions' metadata state them, in the forms that Parity's own have."""

import operator
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any, Self

_FORM = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[(?P<extras>[^\]]*)\])?\s*\(?(?P<bounds>[^;)]*)\)?\s*(?:;(?P<marker>.*))?"
)
_BOUND = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([\w.+!-]+)\s*")
_CLAUSE = re.compile(r"""[\s(]*(\w+)\s*(>=|<=|==|!=|>|<)\s*['"]([^'"]*)['"][\s)]*""")
_RELEASE = re.compile(r"v?(\d+(?:\.\d+)*)\.?(a|b|rc|dev)?")
_COMPARE = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one line of ``Requires-Dist`` asks for.

    Attributes:
        name: of the distribution.
        extras: of the distribution, that it is wanted with.
        bounds: of its version, as ``(">=", "1.20")``.
        extra: that this line belongs to; None for what is always needed.
        applies: whether it is for this Python and system.
    """

    name: str
    extras: tuple[str, ...]
    bounds: tuple[tuple[str, str], ...]
    extra: str | None
    applies: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a line.

        >>> from parity_runtime.doctor.requirement import Requirement
        >>> found = Requirement.parse("pyspark[sql]>=4.1; extra == 'spark'")
        >>> found.name, found.extras, found.bounds, found.extra
        ('pyspark', ('sql',), (('>=', '4.1'),), 'spark')

        Raises:
            ValueError: it has another form, of which this reads the common ones alone.
        """
        if (form := _FORM.fullmatch(text)) is None:
            raise ValueError(f"{text!r} is not a requirement of a known form")
        bounds = tuple(_matched(_BOUND, part) for part in form["bounds"].split(",") if part.strip())
        clauses = [_matched(_CLAUSE, part) for part in re.split(r"\band\b", form["marker"] or "") if part.strip()]
        extras = tuple(part.strip() for part in (form["extras"] or "").split(",") if part.strip())
        extra = next((value for name, _, value in clauses if name == "extra"), None)
        applies = all(_holds(*clause) for clause in clauses if clause[0] != "extra")
        return cls(form["name"], extras, bounds, extra, applies)

    def __str__(self) -> str:
        """The requirement as pip takes it."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.range}"

    @property
    def range(self) -> str:
        """Its bounds in one text."""
        return ",".join(f"{sign}{bound}" for sign, bound in self.bounds)

    @property
    def installed(self) -> str | None:
        """The version that is installed; None where there is none, or nothing but a rest of its metadata."""
        return installed_version(self.name)

    def allows(self, found: str) -> bool:
        """Whether a version lies within the bounds; none does that begins with no number."""
        try:
            return all(_COMPARE[sign](release(found), release(bound)) for sign, bound in self.bounds)
        except ValueError:
            return False


def installed_version(name: str) -> str | None:
    """Return the version of a distribution; None where there is none, or nothing but unreadable metadata of it."""
    try:
        return version(name) or None
    except (PackageNotFoundError, KeyError, OSError, UnicodeDecodeError):
        return None


def hiding_folder(name: str) -> str | None:
    """Return the folder of ``PYTHONPATH`` from which a distribution's module comes in place of the installed one."""
    if sys.flags.ignore_environment or installed_version(name) is None:
        return None
    installed = Path(str(distribution(name).locate_file(""))).resolve()
    for folder in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        there = Path(folder)
        if there.resolve() != installed and ((there / name).is_dir() or (there / f"{name}.py").is_file()):
            return folder
    return None


def release(text: str) -> tuple[tuple[int, ...], bool]:
    """Return what orders versions: the numbers of the release, and whether it is no pre-release.

    >>> from parity_runtime.doctor.requirement import release
    >>> release("1.9") < release("1.10.0rc1") < release("1.10") == release("1.10.0+cpu")
    True

    Raises:
        ValueError: it begins with no number.
    """
    found = _RELEASE.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version")
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers), found[2] is None


def with_extras(requirement: Requirement) -> Iterator[Requirement]:
    """Yield a requirement, and those of its extras that are written in a known form."""
    from importlib.metadata import requires  # noqa: PLC0415 -- beside `version`, of which this is one use

    yield requirement
    for line in requires(requirement.name) or () if requirement.extras and requirement.installed else ():
        try:
            inner = Requirement.parse(line)
        except ValueError:
            continue
        if inner.applies and inner.extra in requirement.extras:
            yield inner


def _matched(pattern: re.Pattern[str], text: str) -> Any:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is of no known form")
    return found.groups()


def _holds(name: str, sign: str, value: str) -> bool:
    if name == "python_version":
        return bool(_COMPARE[sign](sys.version_info[:2], tuple(int(part) for part in value.split("."))))
    if name == "sys_platform" and sign in ("==", "!="):
        return bool(_COMPARE[sign](sys.platform, value))
    raise ValueError(f"{name} {sign} {value!r} is of no known form")
