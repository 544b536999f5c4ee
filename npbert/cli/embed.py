"""``npbert embed``: texts to vectors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npbert.cli import options, outputs, sources

if TYPE_CHECKING:
    from npbert.tasks.embedder import Embedder

EXAMPLE = "Example: npbert embed --input sentences.txt --output vectors.npy"


def run(
    texts: options.Texts = None,
    input: options.Input = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a .npy array or .jsonl lines. Without it, a table is printed.",
        ),
    ] = None,
    model: options.Model = options.DEFAULT_MODEL,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="Print how alike the texts are, too.")
    ] = False,
    normalize: Annotated[
        bool | None,
        typer.Option(help="Give vectors length 1, or do not. The model decides unless given."),
    ] = None,
    activation: options.ActivationOption = None,
    max_seq_length: options.MaxSeqLength = None,
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Texts in one step; changes no result.")
    ] = 32,
    threads: options.Threads = None,
) -> None:
    """Turn texts, given as arguments, in a file or on stdin, into vectors."""
    outputs.check_output(output)
    listed = sources.gather(texts, input)
    embedder = load(model, activation, max_seq_length, threads)
    start = time.perf_counter()
    vectors = embedder.encode(listed, batch_size=batch_size, normalize_embeddings=normalize)
    seconds = time.perf_counter() - start

    from rich.console import Console

    from npbert.cli import tables

    console = Console()
    if output is not None:
        outputs.write_vectors(output, listed, vectors)
    elif not similarity:
        console.print(tables.vectors_table(listed, vectors))
    if similarity:
        cosines = embedder.similarity(vectors, vectors)
        console.print(tables.similarity_table(listed, cosines))
    typer.echo(summary(embedder, len(listed), seconds), err=True)


def load(
    model: str,
    activation: options.Activation | None,
    max_seq_length: int | None,
    threads: int | None,
) -> Embedder:
    """The model, with its kernels ready, so that what is timed next is the work itself."""
    from npbert.tasks.embedder import Embedder

    embedder = Embedder(
        model,
        activation=activation.value if activation else None,
        max_seq_length=max_seq_length,
        num_threads=threads,
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
