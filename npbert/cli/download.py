"""``npbert download``: a model to this machine, so that it needs no network from then on."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLE = "Example: npbert download bert_base_en"


def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A name that 'npbert presets' lists, kaggle://ORG/MODEL/keras/VARIANT,"
            " kaggle://ORG/MODEL/keras/VARIANT/VERSION or hf://ORG/MODEL.",
        ),
    ],
) -> None:
    """Download a model, or what of it is newer or was cut off, and read all of it as a check.

    What is on this machine already is not fetched again. The last line says where the model lies.
    """
    from npbert.presets import load_preset
    from npbert.presets.hubs import download

    directory = download(model)
    weights = load_preset(model).weights or {}
    count = sum(array.size for array in weights.values())
    typer.echo(f"{model}: {count:,} parameters, all of them read", err=True)
    typer.echo(directory)
