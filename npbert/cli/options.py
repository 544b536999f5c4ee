"""Arguments and options that several verbs take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = "all-MiniLM-L6-v2"


class Activation(StrEnum):
    """The two GELUs; see `npbert.config.ACTIVATIONS`."""

    gelu = "gelu"
    gelu_approximate = "gelu_approximate"


class DType(StrEnum):
    """The policies of `npbert.dtype_policy`."""

    float32 = "float32"
    float64 = "float64"
    float16 = "float16"
    bfloat16 = "bfloat16"
    mixed_float16 = "mixed_float16"
    mixed_bfloat16 = "mixed_bfloat16"
    float16_from_float32 = "float16_from_float32"
    bfloat16_from_float32 = "bfloat16_from_float32"


_DTYPES = (
    "bfloat16_from_float32 and float16_from_float32 keep the weights in half the memory and compute"
    " in float32, which is faster for single short texts; float64 is the most exact; the other four"
    " are Keras's, and round each step to 16 bits."
)

Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="The texts, or use --input."),
]
Input = Annotated[
    Path | None,
    typer.Option(
        "--input",
        "-i",
        metavar="FILE",
        help="A .jsonl, .csv, .tsv or .parquet file, or one with a text on each line; - is stdin.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A model's directory, a name ('npbert presets' lists them) or hf://ORG/MODEL.",
    ),
]
TaskModel = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="A model's directory, name, or hf://ORG/MODEL."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line, for other programs.")
]
TextColumn = Annotated[
    str, typer.Option(metavar="NAME", help="The column or JSON key that holds the texts.")
]
BatchSize = Annotated[
    int, typer.Option(min=1, metavar="N", help="Texts in one step; changes no result.")
]
ActivationOption = Annotated[
    Activation | None,
    typer.Option(help="Replace the model's GELU: erf (gelu) or Keras Hub's tanh."),
]
MaxSeqLength = Annotated[
    int | None,
    typer.Option(min=1, metavar="TOKENS", help="Replace the model's limit on a text's tokens."),
]
Dtype = Annotated[
    DType | None,
    typer.Option(help=f"What to compute in, float32 unless given. {_DTYPES}"),
]
TaskDtype = Annotated[
    DType | None,
    typer.Option(
        help="What to compute in; unless given, float32, or what a Keras preset was saved in."
        f" {_DTYPES}"
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Threads; as many as there are CPUs unless given."),
]
