"""What a notebook prints now, beside what is committed.

Texts must be equal, but for one unit in the last digit of a number with a point: NumPy's sums,
other than npbert's, depend on the CPU. Of a picture only its alternative text is compared. A cell
with the tag ``varies``, for instance because it measures time, only has to run.

Notebooks and cells are the dictionaries of nbformat 4.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def differences(new: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[str]:
    """A text for each cell whose output differs, with the lines that do."""
    pairs = zip_longest(new["cells"], old["cells"])
    for number, (mine, theirs) in enumerate(pairs, start=1):
        if mine is None or theirs is None or mine["source"] != theirs["source"]:
            yield f"cell {number}: the source is not that of the .py file; run with --write"
            return
        if mine["cell_type"] != "code" or "varies" in mine["metadata"].get("tags", []):
            continue
        now, before = texts(mine), texts(theirs)
        if not same(now, before):
            lines = difflib.unified_diff(
                before.splitlines(), now.splitlines(), "committed", "now", lineterm="", n=1
            )
            yield "\n".join([f"cell {number}: {mine['source'].splitlines()[0]}", *lines])


def texts(cell: Mapping[str, Any]) -> str:
    """All that a cell printed or showed, as text."""
    said = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        shown = data.get("text/markdown") or data.get("text/html") or data.get("text/plain", "")
        said += [output.get("text", ""), shown, "[picture]" * ("image/svg+xml" in data)]
    return "\n".join(part for part in said if part)


def same(now: str, before: str) -> bool:
    """Whether two texts are equal, but for the last digit of numbers with a point."""
    if NUMBER.sub("0", now) != NUMBER.sub("0", before):
        return False
    return all(map(_near, NUMBER.findall(now), NUMBER.findall(before)))


def _near(now: str, before: str) -> bool:
    places = now.partition(".")[2]
    if not places.isdigit() or len(places) != len(before.partition(".")[2]):
        return now == before
    return abs(float(now) - float(before)) <= 1.01 * 10.0 ** -len(places)
