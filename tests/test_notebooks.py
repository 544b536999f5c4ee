"""The notebooks are whole: what they name exists, and each .ipynb is its .py file, executed.

That they run, and print what is committed, is seen by ``make notebooks``; how it compares is tested
here.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
MOST_LINES, MOST_COLUMNS = 70, 110
COURSE = (
    *("00_map", "01_text_to_tokens", "02_tokens_to_embeddings", "03_attention_by_hand"),
    *("04_a_layer_and_a_stack", "05_vectors", "06_numpy_to_numba", "07_parity_detective"),
)
each_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)

pytestmark = pytest.mark.skipif(not SOURCES, reason="a source distribution without notebooks")


def cells(source: Path) -> list[tuple[str, str]]:
    """("markdown" or "code", text) of each cell of a .py file in the percent format."""
    found = []
    text = re.sub(r"\A# ---\n.*?# ---\n", "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
    for part in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        options, _, body = part.partition("\n")
        if "[markdown]" in options:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            found.append(("markdown", "\n".join(lines)))
        else:
            found.append(("code", body.strip()))
    return found


@cache
def notebook(source: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    return found


def code(source: Path) -> ast.Module:
    """All code cells, and the solutions."""
    listed = cells(source)
    prose = "\n".join(text for kind, text in listed if kind == "markdown")
    solutions = re.findall(r"```python\n(.*?)```", prose, flags=re.DOTALL)
    return ast.parse("\n".join([*(text for kind, text in listed if kind == "code"), *solutions]))


def outputs(source: Path) -> list[dict[str, Any]]:
    return [out for cell in notebook(source)["cells"] for out in cell.get("outputs", [])]


def data(output: dict[str, Any]) -> dict[str, str]:
    """What an output shows, by its kind; what is printed is text/plain."""
    shown = output.get("data", {"text/plain": output.get("text", "")})
    return {kind: "".join(text) for kind, text in shown.items()}


def test_the_course_is_complete() -> None:
    assert tuple(path.stem for path in SOURCES) == COURSE


# -- the .ipynb ------------------------------------------------------------------------------------


@each_notebook
def test_both_files_are_one_notebook(source: Path) -> None:
    written = [(c["cell_type"], "".join(c["source"]).strip()) for c in notebook(source)["cells"]]
    assert written == cells(source)


@each_notebook
def test_it_is_executed_from_top_to_bottom(source: Path) -> None:
    counts = [c["execution_count"] for c in notebook(source)["cells"] if c["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_nothing_went_wrong(source: Path) -> None:
    for output in outputs(source):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", output


@each_notebook
def test_outputs_fit_the_page(source: Path) -> None:
    """No walls of digits: text is short and narrow, and numbers have few digits."""
    for output in outputs(source):
        shown = data(output)
        if "image/svg+xml" in shown:
            continue
        lines = shown.get("text/markdown", shown.get("text/plain", "")).splitlines()
        assert len(lines) <= MOST_LINES, lines[0]
        if "text/markdown" not in shown:
            assert max(map(len, lines), default=0) <= MOST_COLUMNS, max(lines, key=len)
        assert not re.search(r"\d\.\d{9}", "\n".join(lines))


@each_notebook
def test_pictures_say_what_they_show(source: Path) -> None:
    for output in outputs(source):
        shown = data(output)
        assert not {"image/png", "image/jpeg"} & shown.keys()
        if "image/svg+xml" in shown:
            words = re.search(r'<svg [^>]*aria-label="([^"]*)"', shown["image/svg+xml"])
            assert words is not None
            assert len(words[1]) > 20
            assert "<title>" in shown["image/svg+xml"]


# -- what it names ---------------------------------------------------------------------------------


def resolve(name: str) -> Any:
    """The object of a dotted name; what an instance has is not looked at."""
    parts = name.split(".")
    for known in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:known]))
        except ModuleNotFoundError:
            continue
        for part in parts[known:]:
            if not (inspect.ismodule(found) or inspect.isclass(found)):
                break
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def names_used(tree: ast.Module) -> set[str]:
    """The dotted names of npbert's that code uses, in full."""
    full: dict[str, str] = {}  # a name of the notebook -> what it stands for
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            full |= {a.asname or a.name.split(".")[0]: a.name for a in node.names if a.asname}
            full |= {a.name.split(".")[0]: a.name.split(".")[0] for a in node.names if not a.asname}
        elif isinstance(node, ast.ImportFrom):
            full |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    ours = {name: home for name, home in full.items() if home.split(".")[0] == "npbert"}
    used = set(ours.values())
    for node in ast.walk(tree):
        first, _, rest = ast.unparse(node).partition(".") if _is_dotted(node) else ("", "", "")
        if first in ours:
            used.add(f"{ours[first]}.{rest}")
    return used


def _is_dotted(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
        if isinstance(node, ast.Name):
            return True
    return False


@each_notebook
def test_every_name_of_npbert_exists(source: Path) -> None:
    used = names_used(code(source))
    prose = "\n".join(text for kind, text in cells(source) if kind == "markdown")
    used |= set(re.findall(r"`(npbert(?:\.\w+)+)`", prose))
    assert used
    for name in sorted(used):
        resolve(name)


def test_a_name_that_does_not_exist_is_noticed() -> None:
    tree = ast.parse(
        "from npbert.ops import gelu as g\nimport npbert\ng.gelu(1)\nnpbert.viz.sow(2)"
    )
    assert {"npbert.ops.gelu.gelu", "npbert.viz.sow"} <= names_used(tree)
    assert resolve("npbert.ops.gelu.gelu")
    with pytest.raises(AttributeError, match="sow"):
        resolve("npbert.viz.sow")


@each_notebook
def test_every_file_exists(source: Path) -> None:
    for kind, text in cells(source):
        if kind == "markdown":
            for path in re.findall(r"`((?:npbert|golden|tests|notebooks)/[\w./]*)`", text):
                assert (ROOT / path).exists(), path
            for path in re.findall(r"\]\((?!https?:)([^)#]+)", text):
                assert (FOLDER / path).exists(), path


@each_notebook
def test_nothing_is_written_twice(source: Path) -> None:
    """What npbert has is shown or called, never defined again."""
    theirs = {name.rpartition(".")[2] for name in names_used(code(source))}
    exported = {"show", "check"} | theirs
    for path in (ROOT / "npbert" / "ops").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        exported |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    defined = {n.name for n in ast.walk(code(source)) if isinstance(n, ast.FunctionDef)}
    assert not defined & exported


# -- how it teaches --------------------------------------------------------------------------------


@each_notebook
def test_it_has_the_sentence_an_exercise_and_a_way_on(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert "the river bank" in text
    assert "NotImplementedError" in text
    assert "<details>" in text
    assert "You can now read: `npbert/" in text.replace("\n# ", " ")
    assert re.search(r"\bassert", text)


# -- how outputs are compared ----------------------------------------------------------------------


@cache
def compare() -> Any:
    spec = importlib.util.spec_from_file_location("compare", FOLDER / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("now", "before", "equal"),
    [
        ("bank 0.1234", "bank 0.1234", True),
        ("bank 0.1235", "bank 0.1234", True),
        ("bank 0.1236", "bank 0.1234", False),
        ("bank -0.1", "bank 0.1", False),
        ("[1.0, 2.5]", "[1.1, 2.4]", True),
        ("5 ids", "6 ids", False),
        ("0.12", "0.1", False),
        ("1.5e-05", "1.6e-05", False),
        ("river", "bank", False),
    ],
)
def test_which_texts_are_the_same(now: str, before: str, equal: bool) -> None:
    assert compare().same(now, before) is equal


def printed(text: str, *tags: str, source: str = "print(x)") -> dict[str, Any]:
    output = {"output_type": "stream", "name": "stdout", "text": text}
    metadata = {"tags": list(tags)}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [output]}


def test_differences_are_shown() -> None:
    new, old = {"cells": [printed("a\nb\n")]}, {"cells": [printed("a\nc\n")]}
    (found,) = compare().differences(new, old)
    assert found.splitlines() == [
        *("cell 1: print(x)", "--- committed", "+++ now", "@@ -1,2 +1,2 @@", " a", "-c", "+b")
    ]
    assert not list(compare().differences(new, new))


def test_what_varies_is_not_compared() -> None:
    new, old = ({"cells": [printed(text, "varies")]} for text in "ab")
    assert not list(compare().differences(new, old))


@pytest.mark.parametrize("cells", [[], [printed("a", source="other")], [printed("a")] * 2])
def test_another_source_is_a_difference(cells: list[Any]) -> None:
    found = list(compare().differences({"cells": [printed("a")]}, {"cells": cells}))
    assert len(found) == 1
    assert "the source is not that of the .py file" in found[0]


def test_a_picture_is_its_words() -> None:
    shown = {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>", "text/plain": "w"}}
    assert compare().texts({"outputs": [shown]}) == "w\n[picture]"
