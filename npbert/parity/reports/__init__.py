"""What a comparison found, for whoever reads it: a person, a browser, a CI, a program.

=============== ============================================================================
`terminal`      a table with bars, for the screen
`html`          one page that needs no network: the error's growth, heat maps, every stage
`markdown`      for the summary of a CI run
`junit`         a test case for each stage
`json_report`   every number
=============== ============================================================================

Each has ``render(report) -> str``. What they say in words is `words`' and `facts`'; the parts of
the page are `growth`'s, `heat`'s and `sections`'. `invariant` is for `npbert.parity.invariance`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from npbert.errors import ConfigError
from npbert.parity.types import Report

FORMATS: Final = {".html": "html", ".json": "json_report", ".xml": "junit", ".md": "markdown"}
"""A file's ending -> what renders it."""


def check(path: str | Path) -> str:
    """The ending of a file that `write` can write.

    Raises:
        ConfigError: no report has this ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise ConfigError(
            "no report has this ending.",
            where=path,
            received=ending or "no ending",
            expected=", ".join(FORMATS),
        )
    return ending


def write(report: Report, path: str | Path) -> None:
    """Write the report in the format of the file's ending, whole or not at all.

    Raises:
        ConfigError: no report has this ending, or the system refused to write the file.
    """
    from npbert.weights.atomic import atomic_write

    module: Any = importlib.import_module(f"{__name__}.{FORMATS[check(path)]}")
    text: str = module.render(report)
    with atomic_write(Path(path)) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
