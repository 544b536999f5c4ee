"""What `npbert.check` answers: right or wrong, and why, in words and in a small example."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple

import numpy as np

WIDTH = 96
"""Of an example's lines: longer values are cut."""


class Example(NamedTuple):
    """One call, or one row of a result."""

    given: tuple[tuple[str, Any], ...]
    """Names and values of the arguments."""
    expected: Any
    received: Any


@dataclasses.dataclass(frozen=True, repr=False)
class Verdict:
    """True if the function is right: ``assert npbert.check("gelu", mine)``.

    A notebook shows it as text with headings, and print as plain lines.
    """

    name: str
    right: bool
    sentence: str
    cause: str | None = None
    """The mistake's key; None if it is right, or no mistake that is known."""
    fix: str | None = None
    stage: str | None = None
    """The first of the real model that comes out otherwise."""
    where: str | None = None
    effect: str | None = None
    example: Example | None = None
    read: str | None = None

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        parts = self._parts()
        width = max((len(head) for head, _ in parts), default=0) + 2
        return "\n".join(
            [self.sentence, *(f"  {head + ':':<{width}}{text}" for head, text in parts)]
        )

    def _repr_markdown_(self) -> str:
        rows = [f"- **{head}** {_code(head, text)}" for head, text in self._parts()]
        return "\n".join(
            [f"**{'Right' if self.right else 'Not yet'}.** {self.sentence}", "", *rows]
        )

    def _parts(self) -> list[tuple[str, str]]:
        parts = [("to mend it", self.fix), ("where", self.where), ("effect", self.effect)]
        if self.example:
            parts += [(name, short(value)) for name, value in self.example.given]
            parts.append(("expected", short(self.example.expected)))
            parts.append(("yours", short(self.example.received)))
        parts.append(("read", self.read))
        return [(head, text) for head, text in parts if text]


def _code(head: str, text: str) -> str:
    return text if head in ("to mend it", "where", "effect") else f"`{text}`"


def short(value: Any) -> str:
    """On one line, numbers to four digits."""
    if isinstance(value, np.ndarray | np.generic):
        text = json.dumps(_rounded(np.asarray(value).tolist()))
    elif isinstance(value, set):
        text = "{" + ", ".join(map(repr, sorted(value))) + "}"
    else:
        text = repr(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
