"""``npbert classify``: which class texts belong to."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from npbert.cli import options, sources

EXAMPLE = 'Example: npbert classify "A wonderful film." --model bert_tiny_en_uncased_sst2'


def run(
    model: options.TaskModel,
    texts: options.Texts = None,
    input: options.Input = None,
    text_column: options.TextColumn = "text",
    top_k: Annotated[int, typer.Option(min=1, metavar="N", help="How many classes to show.")] = 3,
    as_json: options.AsJson = False,
    dtype: options.TaskDtype = None,
    batch_size: options.BatchSize = 32,
    threads: options.Threads = None,
) -> None:
    """Name the classes of each text, likeliest first, by a model that was trained for it."""
    listed = sources.gather(texts, input, sources.Columns(text_column))

    from npbert.tasks.text_classifier import BertTextClassifier

    classifier = BertTextClassifier.from_preset(model, num_threads=threads, dtype=dtype)
    found = classifier.classify(listed, top_k, batch_size)
    if as_json:
        for text, classes in zip(listed, found, strict=True):
            typer.echo(json.dumps({"text": text, "classes": classes}, ensure_ascii=False))
        return
    from rich.console import Console

    from npbert.cli import tables

    Console().print(tables.classes_table(listed, found))
