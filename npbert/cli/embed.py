"""``npbert embed``: texts to vectors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npbert.cli import options, outputs, sources

if TYPE_CHECKING:
    from npbert.tasks.embedder import Embedder

EXAMPLE = "Example: npbert embed --input articles.csv --text-column body --output vectors.parquet"


class OnTruncate(StrEnum):
    """What happens to a text with more tokens than the model reads."""

    warn = "warn"
    ignore = "ignore"
    error = "error"
    chunk = "chunk"


def run(
    texts: options.Texts = None,
    input: options.Input = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a .npy array, .jsonl lines or a .parquet table of float32, and beside it"
            " what made it (FILE.stamp.json). Without it, a table is printed.",
        ),
    ] = None,
    model: options.Model = options.DEFAULT_MODEL,
    text_column: options.TextColumn = "text",
    id_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column that identifies a row, kept in the output."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped or killed.")
    ] = False,
    reuse: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An earlier .jsonl or .parquet output: rows whose id and text are as they were"
            " there keep their vectors.",
        ),
    ] = None,
    prompt_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Begin texts with this prompt of the model.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Begin texts with this prompt.")
    ] = None,
    normalize: Annotated[
        bool,
        typer.Option("--normalize", help="Give vectors length 1; many models do so anyway."),
    ] = False,
    truncate_dim: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Keep the first N numbers of each vector."),
    ] = None,
    on_truncate: Annotated[
        OnTruncate,
        typer.Option(
            help="For texts that are too long: cut them and say so, cut them, stop, or take the"
            " mean of their parts."
        ),
    ] = OnTruncate.warn,
    activation: options.ActivationOption = None,
    max_seq_length: options.MaxSeqLength = None,
    dtype: options.Dtype = None,
    batch_size: options.BatchSize = 32,
    threads: options.Threads = None,
) -> None:
    """Turn texts into vectors: arguments, stdin, or a file of lines, JSON lines, CSV or Parquet.

    Files of any size are read and written in little memory. Vectors are kept in FILE.partial
    until all are there; --resume goes on from it after a kill, without a lost or doubled row.
    """
    outputs.check_output(output)
    if output is None and (resume or reuse):
        raise typer.BadParameter("--resume and --reuse go with --output FILE")
    if reuse is not None and not reuse.is_file():
        raise typer.BadParameter(f"--reuse {reuse} does not exist, or is no file")
    if input and output and input.exists() and output.exists() and output.samefile(input):
        raise typer.BadParameter("the output would replace the input: give it another name")
    columns = sources.Columns(text_column, id_column)
    rows, total = _checked_rows(texts, input, columns, output)
    listed = [row.text for row in rows] if output is None else []
    embedder = load(model, activation, max_seq_length, threads, dtype)
    settings = {
        "prompt_name": prompt_name,
        "prompt": prompt,
        "normalize_embeddings": normalize,
        "truncate_dim": truncate_dim,
        "on_truncate": on_truncate.value,
    }
    if output is None:
        _print(listed, embedder, settings | {"batch_size": batch_size})
        return
    from npbert.cli import embed_job

    job = embed_job.Job(
        embedder, settings, batch_size, output, id_column is not None, resume, reuse
    )
    start = time.perf_counter()
    done = embed_job.run(job, rows, total)
    typer.echo(summary(embedder, done.rows, time.perf_counter() - start), err=True)
    for count, what in ((done.resumed, "were done before"), (done.reused, f"are from {reuse}")):
        if count:
            typer.echo(f"{count:,} of them {what}", err=True)


def _checked_rows(
    texts: list[str] | None, input: Path | None, columns: sources.Columns, output: Path | None
) -> tuple[Iterator[sources.Row], int | None]:
    """The rows and their number. A file is read once before, so that no bad row stops the work."""

    def begin() -> Iterator[sources.Row]:
        return outputs.check_ids(output, sources.rows(texts, input, columns))

    rows = begin()
    if texts:
        return rows, len(texts)
    if input is None or not input.is_file():
        return rows, None
    return begin(), sum(1 for _ in rows)


def _print(texts: list[str], embedder: Embedder, settings: dict[str, Any]) -> None:
    start = time.perf_counter()
    vectors = embedder.encode(texts, **settings)
    seconds = time.perf_counter() - start

    from rich.console import Console

    from npbert.cli import tables

    Console().print(tables.vectors_table(texts, vectors))
    typer.echo(summary(embedder, len(texts), seconds), err=True)


def load(
    model: str,
    activation: options.Activation | None,
    max_seq_length: int | None,
    threads: int | None,
    dtype: options.DType | None,
) -> Embedder:
    """The model, with its kernels ready, so that what is timed next is the work itself."""
    from npbert.tasks.embedder import Embedder

    embedder = Embedder(
        model,
        activation=activation.value if activation else None,
        max_seq_length=max_seq_length,
        num_threads=threads,
        dtype=dtype,
    )
    embedder.prepare()
    return embedder


def summary(embedder: Embedder, count: int, seconds: float) -> str:
    """One line: how much was done, by what, in what time."""
    texts = "1 text" if count == 1 else f"{count:,} texts"
    threads = embedder.backbone.num_threads
    return (
        f"{texts} -> {embedder.get_embedding_dimension()} numbers each,"
        f" in {seconds:.3f} s on {threads} thread{'s' if threads > 1 else ''}"
    )
