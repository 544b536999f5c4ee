"""``npbert rerank``: documents in the order in which they answer a query."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from npbert.cli import options, sources

EXAMPLE = (
    "Example: npbert rerank 'who sells bread?' --input found.txt --top-k 5"
    " --model hf://cross-encoder/ms-marco-MiniLM-L6-v2"
)


def run(
    model: options.TaskModel,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="What the documents should answer.")
    ],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="The documents, or use --input.")
    ] = None,
    input: options.Input = None,
    text_column: options.TextColumn = "text",
    top_k: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many to show; all unless given.")
    ] = None,
    as_json: options.AsJson = False,
    dtype: options.TaskDtype = None,
    batch_size: options.BatchSize = 32,
    threads: options.Threads = None,
) -> None:
    """Order documents by how well they answer a query, best first, with a cross-encoder."""
    listed = sources.gather(texts, input, sources.Columns(text_column))

    from npbert.tasks.text_classifier import BertTextClassifier

    classifier = BertTextClassifier.from_preset(model, num_threads=threads, dtype=dtype)
    found = classifier.rank(query, listed, top_k, return_documents=True, batch_size=batch_size)
    if as_json:
        for each in found:
            typer.echo(json.dumps(each, ensure_ascii=False))
        return
    from rich.console import Console

    from npbert.cli import tables

    Console().print(tables.ranking_table(found))
