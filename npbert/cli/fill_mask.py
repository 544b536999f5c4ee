"""``npbert fill-mask``: the words that a model expects in a gap."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from npbert.cli import options, sources

# A backslash keeps rich from reading the bracket as markup.
EXAMPLE = (
    'Example: npbert fill-mask "She baked a \\[MASK] of bread."'
    " --model hf://google-bert/bert-base-uncased"
)


def run(
    model: options.TaskModel,
    texts: options.Texts = None,
    input: options.Input = None,
    text_column: options.TextColumn = "text",
    top_k: Annotated[int, typer.Option(min=1, metavar="N", help="How many words to show.")] = 5,
    as_json: options.AsJson = False,
    dtype: options.TaskDtype = None,
    threads: options.Threads = None,
) -> None:
    """Print the likeliest words for each \\[MASK] of a text, by a model trained for that."""
    listed = sources.gather(texts, input, sources.Columns(text_column))

    from npbert.tasks.masked_lm import BertMaskedLM

    masked_lm = BertMaskedLM.from_preset(model, num_threads=threads, dtype=dtype)
    for text in listed:
        found = masked_lm.fill_mask(text, top_k)
        if as_json:
            typer.echo(json.dumps({"text": text, "found": found}, ensure_ascii=False))
            continue
        from rich.console import Console

        from npbert.cli import tables

        gaps = found if found and isinstance(found[0], list) else [found]
        for gap in gaps:
            Console().print(tables.words_table(text, gap))
