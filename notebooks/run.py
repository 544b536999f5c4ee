"""Build each notebook from its .py file, run it, and compare what it prints with what is committed.

    python notebooks/run.py             all of them
    python notebooks/run.py 03 05       some, by the beginning of their names
    python notebooks/run.py --write     run them, and replace the committed outputs

The exit status is 1 when a cell fails, an output differs (see compare.py), or a notebook takes over
a minute. The Python blocks in ``<details>`` are solutions: they run after all cells, and leave
nothing in the notebook.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from pathlib import Path

import jupytext
import matplotlib.font_manager  # noqa: F401  its first import says on stderr that it takes a while
import nbformat
from compare import differences
from nbclient import NotebookClient
from nbformat import NotebookNode

import npbert

FOLDER = Path(__file__).parent
SECONDS = 60
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ANSI = re.compile(r"\x1b\[[0-9;]*m")
COMPILING = re.compile(r"npbert: compiling kernels.*\n")
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def build(source: Path) -> NotebookNode:
    """The notebook of a .py file, without outputs; the same file gives the same notebook."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[name] = seen.get(name, 0) + 1
        cell.id = f"{name}-{seen[name]}"
    return notebook


def run(notebook: NotebookNode) -> None:
    """Execute every cell; outputs are put into the notebook.

    Raises:
        Exception: nbclient's, of several kinds: a cell raised, took too long, or ended the kernel.
    """
    together = nbformat.from_dict({**notebook, "cells": [*notebook.cells, *solutions(notebook)]})
    client = NotebookClient(
        together,
        timeout=5 * SECONDS,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute()
    notebook.cells = together.cells[: len(notebook.cells)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for kept in map(_without_compiling, cell.outputs) if kept]


def solutions(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells of what stands in ``<details>``."""
    prose = "".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    code = [block for part in DETAILS.findall(prose) for block in BLOCK.findall(part)]
    return [nbformat.v4.new_code_cell(block) for block in code]


def _without_compiling(output: NotebookNode) -> NotebookNode | None:
    """What the first call on a machine says on stderr is no part of the notebook."""
    if output.output_type == "stream" and output.name == "stderr":
        output.text = COMPILING.sub("", output.text)
        return output if output.text else None
    return output


def check(source: Path, *, write: bool) -> bool:
    """Run one notebook, say how it went, and whether it is as it should be."""
    target = source.with_suffix(".ipynb")
    notebook = build(source)
    start = time.perf_counter()
    try:
        run(notebook)
    except Exception as error:  # a cell raised, took too long, or ended the kernel
        print(f"{source.stem}: FAILED\n{ANSI.sub('', str(error))}", flush=True)
        return False
    seconds = time.perf_counter() - start
    found = []
    if write:
        nbformat.write(notebook, target)
    elif target.exists():
        found = list(differences(notebook, nbformat.read(target, as_version=4)))
    else:
        found = [f"{target.name} is not there; run with --write"]
    if seconds > SECONDS:
        found.append(f"it takes {seconds:.0f} s; at most {SECONDS} s are allowed")
    print(f"{source.stem}: {'DIFFERS' if found else 'ok'}, {seconds:.1f} s", flush=True)
    print("".join(f"{each}\n" for each in found), end="", flush=True)
    return not found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of names; all notebooks without")
    parser.add_argument("--write", action="store_true", help="replace the committed outputs")
    given = parser.parse_args()
    sources = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
    if given.names:
        sources = [path for path in sources if path.name.startswith(tuple(given.names))]
    if not sources:
        parser.error("no notebook has such a name")
    # Compiling, once on a machine, is no part of a notebook's time.
    npbert.Embedder("all-MiniLM-L6-v2").prepare()
    good = [check(source, write=given.write) for source in sources]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
