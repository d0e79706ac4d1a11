"""python -m tests.end_to_end.notebooks: run the notebooks of the examples, each in a kernel, and store what they show.

What is stored says nothing of the machine: no times, no metadata, and of a progress bar nothing, which is no picture
but a widget that lives in the kernel.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from parity_runtime.files.atomic_write import write_file
from tests.python_path import python_path

FOLDER = Path(__file__).parent.parent.parent / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_WIDGET = "application/vnd.jupyter.widget-view+json"
_SECONDS = 300  # of a cell, before it is given up


def read(path: Path) -> Any:
    """Return a notebook."""
    return nbformat.read(path, as_version=4)


def executed(path: Path, folder: Path) -> Any:
    """Return a notebook as it is after a fresh kernel ran all of it in a folder.

    Raises:
        CellExecutionError: a cell has failed.
    """
    notebook = read(path)
    client = NotebookClient(
        notebook, timeout=_SECONDS, kernel_name="python3", record_timing=False, store_widget_state=False,
        coalesce_streams=True, resources={"metadata": {"path": str(folder)}}, startup_timeout=_SECONDS,
        extra_arguments=["--log-level=ERROR"],
    )  # fmt: skip
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, "PYTHONPATH": python_path(".")}
    client.execute(env=environment)
    return notebook


def to_store(notebook: Any) -> Any:
    """Return an executed notebook without what another run would not show."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [_stored(output) for output in cell.outputs if _WIDGET not in output.get("data", {})]
    return notebook


def _stored(output: Any) -> Any:
    if "metadata" in output:
        output.metadata = nbformat.from_dict({})
    return output


def main() -> None:
    """Execute and store all of them."""
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            text = nbformat.writes(to_store(executed(path, Path(folder))))
        write_file(path, f"{text.rstrip()}\n".encode())  # whole or not at all: it is a file of the repository
        print(f"{path.name}: {path.stat().st_size:,} bytes", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
