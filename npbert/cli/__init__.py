"""The ``npbert`` command: one file per verb.

================ ==============================================================================
`embed`          texts -> vectors, to a file or a table
`similarity`     texts -> how alike they are
`tokenize`       texts -> the tokens that a model reads
`classify`       texts -> classes
`rerank`         a query and documents -> the documents, best answer first
`fill-mask`      a text with gaps -> words for them
`info`           what a model directory says, and which limit is in force
`presets`        the models that have names, and which are on disk
`download`       a model to this machine
`convert`        a model from one library's format to another's
`warmup`         the kernels compiled ahead of time, for this machine or for others
`bench`          npbert against its peers, on this machine
`parity`         do two BERTs agree, where do they part, and why
================ ==============================================================================

Beside them: `options` (what several verbs take), `sources` (where texts come from), `tables` (what
a person reads). Of `embed`: `embed_job` (the work), `outputs` (files, written whole or not at all),
`unfinished` (the rows of a run that was stopped), `known` (the rows of an earlier output), `stamp`
(what made them). Of `parity`: `parity_options`.

Exit codes: 0 done, 1 an error that is explained on stderr, 2 wrong usage, 130 interrupted; of
`parity`, 0 the same, 1 not the same, 2 anything else.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from npbert.cli import (
    bench,
    classify,
    convert,
    download,
    embed,
    fill_mask,
    info,
    parity,
    presets,
    rerank,
    similarity,
    tokenize,
    warmup,
)
from npbert.errors import NpbertError

app = typer.Typer(
    name="npbert",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for verb in (
    *(embed, tokenize, similarity, rerank, classify, fill_mask),
    *(info, presets, download, convert, warmup, bench),
):
    name = verb.__name__.rsplit(".", 1)[-1].replace("_", "-")
    app.command(name, epilog=verb.EXAMPLE)(verb.run)
app.add_typer(parity.app, name="parity")


def _version(wanted: bool) -> None:
    if wanted:
        from npbert import NUMERICS, __version__

        typer.echo(f"npbert {__version__}, numerics {NUMERICS}")
        raise typer.Exit


@app.callback(epilog='Example: npbert similarity "a cat naps" "the kitten sleeps" "stocks fell"')
def npbert(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """BERT on a CPU: texts to vectors, and what a model does, from the command line."""


def main() -> None:
    """The console script: run a verb, and turn errors into messages and exit codes."""
    warnings.showwarning = _show_warning
    try:
        app(prog_name="npbert")
    except NpbertError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{where}", 1)


def _fail(message: str, code: int) -> None:
    typer.echo(f"npbert: {message}", err=True)
    sys.exit(code)


def _show_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    """One line, without the place in the code that warned."""
    typer.echo(f"npbert: warning: {message}", err=True)
