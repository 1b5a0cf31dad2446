"""The notebooks of the documentation run from top to bottom.

`python -m tests.rarecall.test_notebooks` runs them and writes their outputs.
"""

from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.import_graph import ROOT

NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def executed(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    # Sockets of files instead of ports: nobody else on the machine can listen.
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")
    NotebookClient(notebook, km=kernel, timeout=300).execute()
    return notebook


def tables(notebook: nbformat.NotebookNode) -> list[int]:
    """How many cells show a table, by number."""
    shown = [
        number
        for number, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", ())
        if "<table" in output.get("data", {}).get("text/html", "")
    ]
    return sorted(set(shown))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_showed(path):
    stored = nbformat.read(path, as_version=4)
    assert tables(stored), "the notebook is kept with its outputs"
    assert tables(executed(path)) == tables(stored)


if __name__ == "__main__":
    for notebook_path in NOTEBOOKS:
        nbformat.write(executed(notebook_path), notebook_path)
