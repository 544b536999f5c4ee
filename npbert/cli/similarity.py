"""``npbert similarity``: how alike texts are. Without any texts, it is the demo."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Final

import typer

from npbert.cli import embed, options, sources

EXAMPLE = 'Example: npbert similarity "a cat naps" "the kitten sleeps" "stocks fell"'

SAMPLES: Final = [
    "The cat sleeps on the sofa.",
    "A kitten naps on the couch.",
    "Stock markets fell today.",
    "Share prices dropped.",
    "She baked a loaf of bread.",
    "Fresh bread is in the oven.",
    "The rocket reached orbit.",
    "A spaceship flew to Mars.",
]
"""Four topics, two sentences each."""

_NEXT: Final = """
Sentences 1 and 2 mean nearly the same in other words, and so do 3 and 4, 5 and 6, 7 and 8: their
numbers stand out. Try next:
  {npbert} similarity "a sentence of yours" "and another" "and a third"
  {npbert} embed --input lines.txt --output vectors.npy
  {npbert} info {model}"""


def run(
    texts: options.Texts = None,
    input: options.Input = None,
    model: options.Model = options.DEFAULT_MODEL,
    activation: options.ActivationOption = None,
    max_seq_length: options.MaxSeqLength = None,
    dtype: options.Dtype = None,
    threads: options.Threads = None,
) -> None:
    """Print how alike texts are, by cosine or as the model's files say. Without texts: a sample."""
    sample = not texts and input is None
    listed = SAMPLES if sample else sources.gather(texts, input)
    embedder = embed.load(model, activation, max_seq_length, threads, dtype)
    start = time.perf_counter()
    vectors = embedder.encode(listed)
    seconds = time.perf_counter() - start
    similarities = embedder.similarity(vectors, vectors)

    from rich.console import Console

    from npbert.cli import tables

    function = embedder.similarity_fn_name
    Console().print(tables.similarity_table(listed, similarities, function))
    typer.echo(embed.summary(embedder, len(listed), seconds), err=True)
    if sample:
        typer.echo(_NEXT.format(npbert=_program(), model=model))


def _program() -> str:
    """How to call npbert from here: an environment that is not activated needs the path."""
    called = sys.argv[0]
    return called if called.endswith("npbert") and not shutil.which("npbert") else "npbert"
