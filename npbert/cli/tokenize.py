"""``npbert tokenize``: what a model reads of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from npbert.cli import options, sources

if TYPE_CHECKING:
    from npbert.tasks.readers import TextReader
    from npbert.text.tokenizer import Token

EXAMPLE = 'Example: npbert tokenize "Tokenizers split unbelievably long words."'


def run(
    texts: options.Texts = None,
    input: options.Input = None,
    model: options.Model = options.DEFAULT_MODEL,
    text_column: options.TextColumn = "text",
    max_seq_length: options.MaxSeqLength = None,
    ids: Annotated[
        bool, typer.Option("--ids", help="Print a JSON list of ids a text, and nothing else.")
    ] = False,
) -> None:
    """Show texts as a model sees them: tokens, their ids and characters, and what is cut off."""
    listed = sources.gather(texts, input, sources.Columns(text_column))
    reader = load(model, max_seq_length)
    if ids:
        for each in reader.encode(listed).ids:
            typer.echo(f"[{', '.join(map(str, each.tolist()))}]")
        return
    from rich.console import Console

    from npbert.cli import tables

    console = Console()
    for text in listed:
        tokens = reader.tokenizer.tokens(text)
        console.print(tables.tokens_table(text, tokens))
        console.print(_summary(reader, tokens), highlight=False, soft_wrap=True)


def load(model: str, max_seq_length: int | None) -> TextReader:
    """The model's tokenizer and limit; its weights stay where they are."""
    from npbert.errors import ModelFileError
    from npbert.presets import load_preset
    from npbert.tasks.model_files import read_tokenizer
    from npbert.tasks.readers import TextReader

    preset = load_preset(model, load_weights=False)
    if preset.path is None or preset.kind == "built-in":
        raise ModelFileError(
            f"the vocabulary of {model!r} is not on this machine.",
            fix=f"npbert download {model}, and give the directory that it prints",
        )
    return TextReader(*read_tokenizer(preset.path, preset.kind, preset.config, max_seq_length))


def _summary(reader: TextReader, tokens: list[Token]) -> str:
    limit, count = reader.limit, len(tokens)
    read = f"the model reads {limit.value} at most ({limit.source})"
    return f"{count:,} tokens; {read}" + (
        f", so that {count - limit.value:,} are cut off" if count > limit.value else ""
    )
