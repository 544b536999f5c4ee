"""What the verbs of ``npbert parity`` take, and the help that teaches sources."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from npbert.cli import sources

Spec = Annotated[str, typer.Argument(metavar="SOURCE", help="A source, as below.")]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="TEXT", help="A text to compare on; may be given again."),
]
Texts = Annotated[
    Path | None,
    typer.Option(
        "--texts",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        allow_dash=True,
        help="Texts: .jsonl, .csv, .tsv, .parquet, or one a line; - is stdin.",
    ),
]


class Taught(TyperCommand):
    """A command whose help lists the kinds of sources; they are imported when it is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from npbert.parity.sources import KINDS

        plain = self.help
        listed = [_taught(f"{name}:{kind.rest}", kind.about) for name, kind in KINDS.items()]
        self.help = "\n\n".join([plain or "", "A source is one of these:", *listed])
        super().format_help(ctx, formatter)
        self.help = plain


def _taught(spec: str, about: str) -> str:
    """A line of the help, in rich's markup, where brackets have to be escaped."""
    spec, about = (text.replace("[", "\\[") for text in (spec, about))
    return f"[bold]{spec}[/bold]  {about}"


def given_texts(text: list[str] | None, file: Path | None) -> list[str] | None:
    """The texts of both options; None without them."""
    found = list(text or ())
    if file is not None:
        found += sources.gather(None, file)
        if not found:
            raise typer.BadParameter(f"--texts {file} holds no texts")
    return found or None


def tolerance(given: str) -> tuple[str, float]:
    """``"layer.*.probs=1e-5"`` -> the pattern and the number."""
    stage, _, value = given.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not stage or not 0 <= number < math.inf:
        raise typer.BadParameter(f"--tol {given} is not STAGE=VALUE, as 'layer.*.probs=1e-5' is")
    return stage, number
