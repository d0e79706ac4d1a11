"""The page that shows the figures: a table a subject, with the target and whether it is met.

A *figure* is a dictionary with a target and a ratio, a size in 10^6 bytes (``mb``) or a count of ``instructions``; a
*series* is a dictionary of numbers by size, one of several that grow together.
"""

from collections.abc import Iterator
from typing import Any

from limits import LIMITS

SUBJECTS = {
    "training": "Training",
    "processes": "Training on several processes",
    "streaming": "Training on more rows than memory holds",
    "tables": "Tables: how good, beside scikit-learn",
    "mixed": "Tables with text",
    "trust": "Restarts and folds",
    "estimators": "scikit-learn's interface, beside skorch",
    "export": "Export",
    "large": "Large models",
    "networks": "Networks as people have them",
    "predictor": "Prediction",
    "start": "A first answer",
    "install": "What an application installs and waits for",
    "scoring": "Files",
    "engines": "Clusters",
    "serving": "A service",
    "scale": "Rates of one core",
    "parts_on_workers": "Clusters: folders in parts",
    "certified": "Proof",
    "instructions": "Instructions of the hot paths",
    "cuda": "CUDA",
}
Figures = dict[str, Any]

_SCRIPTS = {"cuda": "on_cuda"}
"""Scripts that are not called as their subject: torch imports a package ``cuda``, which beside a script is another."""

_UNMEASURED = {
    "cuda": """No GPU was at hand: nothing is measured. On a machine with one, whose `python3` has torch,
onnxruntime-gpu, pytest, hypothesis and what the extras `[train]` and `[export]` need, this runs the tests of CUDA and
writes the figures here:

<!-- not run: it needs a GPU -->
```sh
make cuda CUDA_PYTHON=python3
```
"""
}

_UNITS = ("ratio", "mb", "instructions")


def page(known: dict[str, Figures]) -> str:
    """Return the page in Markdown, of what ``benchmarks/results`` keeps."""
    parts = [_HEAD]
    places = [_place(found) for found in known.values()]
    common = max(places, key=places.count) if places else ""
    parts.append(f"Measured on {common}.\n")
    for name, title in SUBJECTS.items():
        if name in known:
            place = _place(known[name])
            parts.append(f"## {title}\n\n`python {script(name)}`{'' if place == common else f', on {place}'}\n")
            parts += tables(known[name]["figures"])
            parts += [f"{LIMITS[name]}\n"] if name in LIMITS else []
        elif name in _UNMEASURED:
            parts.append(f"## {title}\n\n`python {script(name)}`\n\n{_UNMEASURED[name]}")
    return "\n".join(parts)


def script(name: str) -> str:
    """Return the script that measures a subject, from the root."""
    return f"benchmarks/{_SCRIPTS.get(name, name)}.py"


def _place(found: Figures) -> str:
    versions = ", ".join(f"{library} {number}" for library, number in found["versions"].items())
    return f"{found['machine']}; {versions}"


def tables(found: Figures) -> list[str]:
    """Return a subject's tables: figures, series, and all else."""
    nodes = list(walk(found))
    rows = [_row(name, node) for name, node in nodes if is_figure(node)]
    parts = ["| figure | median | quartiles | target | |\n|---|---|---|---|---|\n" + "".join(rows)] if rows else []
    parts += [_table(title, columns) for title, columns in series(found).items()]
    rest = [f"| {name} | {_text(node)} |\n" for name, node in nodes if not isinstance(node, dict)]
    return parts + (["| also | |\n|---|---|\n" + "".join(rest)] if rest else [])


def walk(found: Figures, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every figure, series and single value with its name."""
    for name, node in found.items():
        if isinstance(node, dict) and not is_figure(node) and not is_series(node):
            yield from walk(node, (*path, name))
        else:  # the name of a figure says it all, but for memory beside time
            yield ": ".join((*path[1:], name)), node


def is_figure(node: Any) -> bool:
    """Whether this is a figure."""
    return isinstance(node, dict) and "target" in node


def is_series(node: Any) -> bool:
    """Whether this is a series."""
    return isinstance(node, dict) and len(node) > 3 and all(isinstance(value, int | float) for value in node.values())


def series(found: Figures) -> dict[str, dict[str, dict[str, float]]]:
    """Return the series by title and by name: the last comma parts the two."""
    groups: dict[str, dict[str, dict[str, float]]] = {}
    for name, node in walk(found):
        if is_series(node):
            title, _, which = name.rpartition(", ")
            groups.setdefault(title, {})[which] = node
    return groups


def met(figures: Figures) -> bool | None:
    """Whether a figure reaches its target; None where it has none."""
    words = str(figures["target"]).split()
    if words[:2] == ["at", "most"]:
        return bool(value(figures) <= float(words[2]))
    return bool(value(figures) >= float(words[2])) if words[:2] == ["at", "least"] else None


def direction(figures: Figures) -> int:
    """Return 1 of a figure that had better be large, -1 of one that had better be small, 0 where nobody says."""
    words = str(figures["target"]).split()[:2]
    known = {"most": -1, "least": 1}.get(words[-1]) if words[:1] == ["at"] else None
    return known or ("ratio" not in figures and -1) or 0


def value(figures: Figures) -> float:
    """Return a figure's number."""
    return float(figures[next(unit for unit in _UNITS if unit in figures)])


def number(found: float) -> str:
    """Return a figure's number as it is shown."""
    return f"{found:,.0f}" if abs(found) >= 1000 else f"{found:.3g}"


def _row(name: str, figures: Figures) -> str:
    gate_result = {True: "met", False: "**missed**", None: ""}[met(figures)]
    unit = " MB" if "mb" in figures else ""
    spread = " to ".join(map(number, figures.get("quartiles", [])))
    others = {key: item for key, item in figures.items() if key not in {*_UNITS, "quartiles", "target"}}
    remark = f" ({', '.join(f'{key} {_text(item)}' for key, item in others.items())})" if others else ""
    target = figures["target"] + (unit if met(figures) is not None else "")
    return f"| {name}{remark} | {number(value(figures))}{unit} | {spread} | {target} | {gate_result} |\n"


def _table(title: str, columns: dict[str, dict[str, float]]) -> str:
    sizes = list(next(iter(columns.values())))
    lines = [f"| {title} | {' | '.join(sizes)} |", "|---" * (len(sizes) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(_text(column[size]) for size in sizes)} |" for name, column in columns.items()]
    return "\n".join(lines) + "\n"


def _text(node: Any) -> str:
    if isinstance(node, float):
        return f"{node:,.0f}" if node >= 1000 else f"{node:.4g}"
    if isinstance(node, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in node.items())
    return ", ".join(map(_text, node)) if isinstance(node, list) else str(node)


_HEAD = """# Benchmarks

`make bench` measures all of this again and writes this page; the figures stand in `benchmarks/results`. A ratio is of
jobs that take turns in one run, "A over B" the time of A divided by the time of B: the median, with the quartiles
beside it. The peers are the extra `[bench]`. A target that is missed says so. `make bench-compare` says which figures
moved since the commit before, or since `BASE=COMMIT`.

![Every ratio that has a target, with its quartiles.](../images/benchmarks.png)

![How answers and exports grow with rows, width and depth.](../images/growth.png)
"""
