"""``npbert parity``: do two BERTs agree, where do they part, and why."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from npbert.cli import bench, options
from npbert.cli.parity_options import Spec, Taught, Text, Texts, given_texts, tolerance
from npbert.errors import NpbertError

if TYPE_CHECKING:
    from npbert.parity.invariance import Invariance
    from npbert.parity.shrink import Shrunk
    from npbert.parity.sources.base import Base
    from npbert.parity.types import Report

EXAMPLE: Final = "Example: npbert parity compare all-MiniLM-L6-v2 torch:minilm --report why.html"

_COMPARE: Final = "\n\n".join(
    [
        EXAMPLE,
        "npbert parity compare keras:bert_base_en_uncased torch:bert-base-uncased",
        "npbert parity compare all-MiniLM-L6-v2 npbert:all-MiniLM-L6-v2@bfloat16 --texts mine.txt",
        "npbert parity compare bundle:tests/minilm py:port.py:stages --tol 'layer.*.probs=1e-5'",
        "npbert parity compare st:minilm http://127.0.0.1:8080/v1/embeddings --shrink",
    ]
)
_RECORD: Final = "Example: npbert parity record torch:minilm tests/minilm"
_INVARIANCE: Final = "Example: npbert parity invariance onnx:minilm.onnx"

_ABOUT: Final = "Say whether two BERTs agree, where they part, and why."

AGREE, DIFFER, NOT_COMPARABLE = 0, 1, 2

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help=_ABOUT)


@app.command(epilog=_COMPARE, cls=Taught)
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A source: what is taken for right.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The source that is compared with it.")],
    text: Text = None,
    texts: Texts = None,
    tol: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=VALUE",
            help="The largest difference to let pass at a stage, or at those of a pattern such as"
            " 'layer.*.probs'; may be given again.",
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write the report: .html, .json, .xml (JUnit) or .md; may be given again.",
        ),
    ] = None,
    no_diagnose: Annotated[
        bool, typer.Option("--no-diagnose", help="Do not look for the cause: faster.")
    ] = False,
    shrink: Annotated[
        bool,
        typer.Option(
            "--shrink",
            help="Print a script for a bug report: the shortest text and the fewest layers that"
            " still part the two.",
        ),
    ] = False,
    auto_map: Annotated[
        bool,
        typer.Option(
            "--auto-map",
            help="Take the arrays of B that have no known name for the stages of A that they"
            " resemble.",
        ),
    ] = False,
) -> None:
    """Say whether A and B agree, at which op they part, and what most likely causes it.

    Weights are compared first, then tokens, then every stage of the forward pass, then the vectors
    of whole texts. Ends with 0 if they agree, 1 if they differ, 2 if they cannot be compared.
    """
    tolerances = dict(map(tolerance, tol or ()))
    with _not_comparable():
        listed = given_texts(text, texts)
        for path in report or ():
            _check_report(path)
        found, shrunk = _compared(a, b, listed, tolerances, not no_diagnose, shrink, auto_map)
        _show(found, shrunk, shrink)
        for path in report or ():
            from npbert.parity import reports

            reports.write(found, path)
    raise typer.Exit({"agree": AGREE, "differ": DIFFER}.get(found.verdict, NOT_COMPARABLE))


@app.command(epilog=_RECORD, cls=Taught)
def record(
    source: Spec,
    stem: Annotated[
        Path, typer.Argument(metavar="STEM", help="The files' name without its ending.")
    ],
    text: Text = None,
    texts: Texts = None,
    no_weights: Annotated[
        bool, typer.Option("--no-weights", help="Leave out the weights and their hashes.")
    ] = False,
) -> None:
    """Write what SOURCE computes to STEM.json and STEM.safetensors, to compare with anywhere.

    'bundle:STEM' is then a source itself, and npbert.parity.assert_parity tests a model against it.
    """
    with _not_comparable():
        from npbert.parity import record

        listed = given_texts(text, texts)
        with _working("opening") as say:
            opened = _open(source, say)
            say("recording")
            record(opened, stem, texts=listed, weights=not no_weights)
        size = sum(Path(f"{stem}{end}").stat().st_size for end in (".json", ".safetensors"))
        typer.echo(f"{stem}.json, {stem}.safetensors: {size / 1e6:,.2f} MB", err=True)


@app.command(epilog=_INVARIANCE, cls=Taught)
def invariance(
    source: Spec, text: Text = None, texts: Texts = None, as_json: options.AsJson = False
) -> None:
    """Say whether SOURCE gives a text the same bits in any batch, order, padding and threads.

    Ends with 0 if it does, 1 if it does not, 2 if that cannot be told.
    """
    with _not_comparable():
        from npbert.parity import invariance

        listed = given_texts(text, texts)
        with _working("opening") as say:
            opened = _open(source, say)
            say("running")
            found = invariance(opened, listed)
        _show_invariance(found, as_json)
    raise typer.Exit(AGREE if found.bit_equal else DIFFER)


def _show_invariance(found: Invariance, as_json: bool) -> None:
    if as_json:
        from npbert.parity.reports.json_report import plain

        typer.echo(json.dumps(plain(found.to_dict()), allow_nan=False))
        return
    from rich.console import Console

    from npbert.parity.reports import invariant

    Console().print(invariant.screen(found))


def _compared(
    a: str,
    b: str,
    texts: list[str] | None,
    tolerances: dict[str, float],
    diagnose: bool,
    shrink: bool,
    auto_map: bool,
) -> tuple[Report, Shrunk | None]:
    from npbert.parity import compare

    with _working("opening") as say:
        left, right = _open(a, say), _open(b, say)
        if auto_map:
            from npbert.parity.sources.automap import Mapped

            right = Mapped(right, left)
        say("comparing")
        found = compare(left, right, texts=texts, tolerances=tolerances, diagnose=diagnose)
        if not shrink or found.verdict != "differ":
            return found, None
        say("shrinking")
        return found, _shrunk(found, left, right, texts)


@contextmanager
def _not_comparable() -> Iterator[None]:
    """Whatever stops a comparison ends with 2: 1 is kept for a difference."""
    try:
        yield
    except typer.BadParameter:
        raise
    except (NpbertError, OSError) as error:
        typer.echo(f"npbert: {error}", err=True)
    except Exception:
        traceback.print_exc()
    else:
        return
    raise typer.Exit(NOT_COMPARABLE)


@contextmanager
def _working(first: str) -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(first) as status:
        yield lambda said: status.update(Text(said))


def _open(spec: str, say: Callable[[str], None]) -> Base:
    from npbert.parity.sources import open_source

    say(f"opening {spec}")
    return open_source(spec)


def _shrunk(found: Report, a: Base, b: Base, texts: list[str] | None) -> Shrunk | None:
    from npbert.parity.compare import made
    from npbert.parity.shrink import shrink
    from npbert.parity.texts import TEXTS

    tried = texts or TEXTS
    batch = made(a, b, (a.tokenize(tried), b.tokenize(tried)))
    return shrink(found, a, b, batch and batch.inputs, tried)


def _show(found: Report, shrunk: Shrunk | None, wanted: bool) -> None:
    from rich.console import Console

    from npbert.parity.reports.terminal import screen

    Console().print(screen(found))
    if shrunk is not None:
        typer.echo(f"\n{shrunk.script}")
    elif wanted and found.verdict == "differ":
        typer.echo("nothing to shrink: a side knows no other inputs than its own", err=True)


def _check_report(path: Path) -> None:
    from npbert.parity import reports

    reports.check(path)
    bench.check_writable("--report", path)
