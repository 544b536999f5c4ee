"""The texts of the text job: documentation that is on every machine, made at run time."""

from __future__ import annotations

import ast
import hashlib
import re
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.errors import DependencyError

COUNT: Final = 1000
WORDS: Final = (4, 120)
"""Fewest and most words of a text."""

_LOCALE_SHARE: Final = 5  # one text of so many comes from locale data
_PACKAGES: Final = ("json", "email", "asyncio", "collections", "concurrent", "logging", "unittest")
_LOCALES: Final = ("en", "fr", "de", "es", "it", "pt", "nl", "sv", "pl", "cs", "tr", "id")


def make(count: int, seed: int) -> list[str]:
    """``count`` texts: paragraphs of docstrings, and names in many languages.

    The same Python, numpy and babel give the same texts.

    Raises:
        DependencyError: babel is not installed.
    """
    random = np.random.default_rng(seed)
    names = sorted(set(_locale_texts()))
    paragraphs = sorted(set(_docstrings()))
    from_locales = count // _LOCALE_SHARE
    picked = [paragraphs[i] for i in random.permutation(len(paragraphs))[: count - from_locales]]
    picked += [names[i] for i in random.permutation(len(names))[:from_locales]]
    return [picked[i] for i in random.permutation(len(picked))]


def sha256(texts: Sequence[str]) -> str:
    """Of the list: two with the same hash are the same."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _docstrings() -> Iterator[str]:
    """Paragraphs of docstrings of the standard library and numpy, as plain text."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [*library.glob("*.py"), *(p for d in _PACKAGES for p in (library / d).glob("*.py"))]
    files += Path(np.__file__).parent.glob("*/*.py")
    for file in sorted(files):
        try:
            tree = ast.parse(file.read_bytes())
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                yield from _paragraphs(text)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        words = paragraph.split()
        if WORDS[0] <= len(words) <= WORDS[1] and ">>>" not in words:
            yield " ".join(words)


def _locale_texts() -> Iterator[str]:
    """Lists of a locale's names of languages, places and days, some words each."""
    babel = import_babel()
    for code in _LOCALES:
        locale: Any = babel.Locale.parse(code)
        names = [*locale.languages.values(), *locale.territories.values()]
        names += locale.days["format"]["wide"].values()
        for start in range(0, len(names) - 12, 12):
            yield ", ".join(names[start : start + 5 + start // 12 % 8])


def import_babel() -> Any:
    """babel, or an error that says how to get it."""
    try:
        import babel
    except ImportError as error:
        raise DependencyError(
            "the text job's texts come from babel's locale data among others.",
            received=error,
            fix="pip install 'npbert[bench]'",
        ) from None
    return babel
