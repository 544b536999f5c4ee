"""``npbert bench``: npbert against its peers, on this machine."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npbert.cli import outputs
from npbert.errors import ConfigError

if TYPE_CHECKING:
    from npbert.bench.report import Section
    from npbert.bench.run import Results
    from npbert.bench.session import Settings

EXAMPLE = "\n\n".join(
    [
        "Example: npbert bench --quick",
        "npbert bench --work bert-base-8x128 --threads 1,2",
        "npbert bench --work shapes --engines onnxruntime,openvino --rounds 30",
        "npbert bench --work bert-base-1x16 --engines npbert-bfloat16",
        "npbert bench --work text --markdown text.md --plot text.svg",
        "npbert bench --work lengths,batches --plot cost.png",
        "npbert bench --work bert-base-8x128 --isa avx2",
        "npbert bench --work none --kernels --accuracy --latency --reproducibility",
        "npbert bench --save machine.json",
    ]
)
_WORKS = (
    "What to race on, by commas: shapes, ragged, text (these three unless given), lengths,"
    " batches, none, or for instance bert-base-4x64, minilm-ragged."
)
_ENGINES = (
    "Whom to race against, by commas; torch stands for torch-eager and so on. All, if absent, but"
    " npbert-bfloat16 and npbert-float16: npbert with its weights in half the memory."
)


def run(
    work: Annotated[str | None, typer.Option(metavar="NAMES", help=_WORKS)] = None,
    engines: Annotated[str | None, typer.Option(metavar="NAMES", help=_ENGINES)] = None,
    threads: Annotated[
        str | None,
        typer.Option(metavar="N,N", help="Threads, for instance 1,2,4; as npbert's if absent."),
    ] = None,
    rounds: Annotated[int, typer.Option(metavar="N", help="Turns of each engine.")] = 15,
    pause: Annotated[
        int, typer.Option(metavar="MS", help="Least pause between turns, milliseconds.")
    ] = 40,
    isa: Annotated[
        str | None, typer.Option(metavar="avx2", help="Keep engines that can be from AVX-512.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of token ids, lengths and texts.")] = 2026,
    kernels: Annotated[bool, typer.Option("--kernels", help="npbert's ops one by one.")] = False,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="Errors against float64, beside each peer's.")
    ] = False,
    latency: Annotated[
        bool, typer.Option("--latency", help="p50 and p99 under callers that call at once.")
    ] = False,
    reproducibility: Annotated[
        bool, typer.Option("--reproducibility", help="Who keeps the bits of a text, and when.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny work, two rounds: does everything run?")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables as Markdown.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the ratios, as .png or .svg.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write JSON with the CPU's details, to contribute."),
    ] = None,
) -> None:
    """Race npbert against other engines on the same weights, whichever are installed.

    Engines run in processes of their own and take turns; the best and the median of all rounds are
    shown, and so is every loss. A ratio is a peer's time over npbert's.
    """
    files = {"--json": json_file, "--markdown": markdown, "--plot": plot, "--save": save}
    for option, path in files.items():
        check_writable(option, path)
    from npbert.bench import plot as drawing
    from npbert.bench import run as bench
    from npbert.bench import works

    if plot:
        drawing.check(plot)
    settings = make_settings(engines, threads, rounds, pause, isa, seed, quick)
    names = split("--work", work) or (["quick"] if quick else list(works.DEFAULT))
    wanted = {"kernels": kernels, "accuracy": accuracy, "latency": latency}
    wanted |= {"reproducibility": reproducibility}
    extras = [found for name, found in bench.EXTRAS.items() if wanted[name] or quick]
    found = bench.run(settings, [n for n in names if n != "none"], extras, show)
    write(found, json_file, markdown, plot, save)


def make_settings(
    engines: str | None,
    threads: str | None,
    rounds: int,
    pause: int,
    isa: str | None,
    seed: int,
    quick: bool,
) -> Settings:
    """The settings, checked.

    Raises:
        ConfigError: an option that names what there is not, or cannot be understood.
    """
    from npbert.bench.engines import choose
    from npbert.bench.session import Settings
    from npbert.engine.threads import thread_count

    check_least("--rounds", rounds, 1)
    check_least("--pause", pause, 0)
    check_least("--seed", seed, 0)
    if isa not in (None, "avx2"):
        raise ConfigError(
            "only avx2 can be forced.",
            where="--isa",
            received=repr(isa),
            expected="avx2",
            fix="leave --isa out to let every engine use what the CPU has",
        )
    numbers = split("--threads", threads)
    if not all(re.fullmatch("[0-9]{1,9}", number) for number in numbers):
        raise ConfigError(
            "the numbers of threads cannot be read.",
            where="--threads",
            received=repr(threads),
            expected="whole numbers with commas between, such as 1,2",
            fix="leave --threads out for as many as npbert would use",
        )
    counts = [thread_count(int(number))[0] for number in numbers] or [thread_count()[0]]
    return Settings(
        engines=tuple(entry.name for entry in choose(split("--engines", engines))),
        threads=tuple(sorted(set(counts))),
        rounds=2 if quick else rounds,
        pause=pause / 1000,
        isa=isa,
        seed=seed,
        quick=quick,
    )


def check_least(option: str, value: int, least: int) -> None:
    """Refuse a number below ``least``.

    Raises:
        ConfigError: it is.
    """
    if value < least:
        raise ConfigError(
            f"{option} is too small.",
            where=option,
            received=value,
            expected=f"a whole number, {least} or more",
            fix=f"leave {option} out for the usual one",
        )


def split(option: str, listed: str | None) -> list[str]:
    """``"a, b"`` -> ``["a", "b"]``; empty if the option is absent.

    Raises:
        ConfigError: the option is there, but names nothing.
    """
    if listed is None:
        return []
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if not names:
        raise ConfigError(
            f"{option} names nothing.",
            where=option,
            received=repr(listed),
            expected="one or more, with commas between",
            fix=f"leave {option} out for the usual ones",
        )
    return names


def check_writable(option: str, path: Path | None) -> None:
    """Refuse a file that could not be written in the end.

    Raises:
        ConfigError: no file can be made in its directory, or it is something else than a file.
    """
    if path is None:
        return
    try:
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            possible = path.is_file() or not path.exists()
    except OSError:
        possible = False
    if not possible:
        raise ConfigError(
            "the file could not be written in the end.",
            where=option,
            received=path,
            expected="a file, or a new name in a directory that can be written to",
            fix="make the directory, or name another file",
        )


def show(section: Section) -> None:
    """Print a table, and its notes below it."""
    from rich.console import Console

    from npbert.bench.report import rich_table

    console = Console()
    console.print(rich_table(section))
    for note in section.notes:
        console.print(f"  {note}", markup=False, highlight=False, soft_wrap=True)
    console.print()


def write(
    found: Results,
    json_file: Path | None,
    markdown: Path | None,
    plot: Path | None,
    save: Path | None,
) -> None:
    """Write the files asked for, each whole or not at all."""
    from npbert.bench import report
    from npbert.bench import run as bench

    for path, cpu in ((json_file, False), (save, True)):
        if path:
            record = bench.record(found, cpu=cpu)
            with outputs.atomic_write(path) as file:
                file.write(json.dumps(record, indent=1).encode() + b"\n")
    if markdown:
        with outputs.atomic_write(markdown) as file:
            file.write("\n".join(map(report.markdown, found.sections)).encode())
    if plot:
        from npbert.bench import plot as drawing

        with outputs.atomic_write(plot) as file:
            drawing.draw(found.races, file, plot.suffix[1:])
