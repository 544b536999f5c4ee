"""The README is true: its blocks run and print what it shows, and the files it names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATHS = {
    *re.findall(r"`((?:npbert|tests|golden|notebooks)/[^`*]*)`", README),
    *re.findall(r"\]\(([^)#:]+)\)", README),
}
BLOCKS = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.kernel
@pytest.mark.real_weights
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_prints_what_stands_below_it(number: int) -> None:
    code, expected = BLOCKS[number]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == expected


def test_each_way_of_use_is_shown() -> None:
    assert len(BLOCKS) == 5


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_file_it_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)`", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
