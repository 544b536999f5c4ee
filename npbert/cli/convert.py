"""``npbert convert``: a model from one library's format to another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npbert.errors import ConfigError

if TYPE_CHECKING:
    from npbert.presets import Preset
    from npbert.weights import Array

EXAMPLE = "Example: npbert convert all-MiniLM-L6-v2 minilm-keras --to keras --allow-lossy"


class Format(StrEnum):
    """Whose directories are written."""

    keras = "keras"
    hf = "hf"


class Width(StrEnum):
    """Of the numbers in the file."""

    float32 = "float32"
    float64 = "float64"
    float16 = "float16"
    bfloat16 = "bfloat16"


def run(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A model's directory, or a known name.")
    ],
    destination: Annotated[
        Path, typer.Argument(metavar="DST", help="The directory to write, empty or not there yet.")
    ],
    to: Annotated[
        Format,
        typer.Option(
            help="keras: config.json and model.weights.h5, for Keras Hub's from_preset."
            " hf: config.json and model.safetensors, for transformers and sentence-transformers."
        ),
    ],
    dtype: Annotated[
        Width,
        typer.Option(
            help="float32 keeps every bit, but for a model that is stored in float64; float16 and"
            " bfloat16 halve the file, and round."
        ),
    ] = Width.float32,
    allow_lossy: Annotated[
        bool,
        typer.Option(
            "--allow-lossy",
            help="Write a model to Keras's format even where that cannot say how it computes:"
            " erf GELU, and another epsilon than 1e-12. Keras then gives other numbers.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write into DST although it has files already.")
    ] = False,
) -> None:
    """Write a model in another library's format: weights, config, and the tokenizer's files.

    What npbert loads it converts. Nothing in DST changes before all of the new files are complete.
    """
    from npbert.presets import load_preset

    _check_destination(destination, force)
    preset = load_preset(source, dtype=dtype.value)
    if preset.path is not None and preset.path.resolve() == destination.resolve():
        raise typer.BadParameter(f"{destination} is SRC itself; choose another DST")
    carried = _convert(preset, destination, to, allow_lossy)
    typer.echo(f"{preset.name} -> {destination}, {to.value}, {dtype.value}", err=True)
    beside = ", ".join(carried) or "nothing; the tokenizer stays in SRC"
    typer.echo(f"beside the weights: {beside}", err=True)


def _check_destination(path: Path, force: bool) -> None:
    if path.exists() and not path.is_dir():
        raise typer.BadParameter(f"{path} is not a directory")
    if path.is_dir() and any(path.iterdir()) and not force:
        raise typer.BadParameter(f"{path} is not empty; choose another DST, or add --force")


def _convert(preset: Preset, folder: Path, to: Format, allow_lossy: bool) -> dict[str, bytes]:
    """Write the model with a bar; the files beside the weights."""
    from npbert.presets.carry import carried
    from npbert.presets.savable import Model
    from npbert.presets.save import save_preset
    from npbert.presets.save_hugging_face import save_hugging_face
    from npbert.progress import progress
    from npbert.text.to_keras import keras_tokenizer_files

    weights = preset.weights
    if weights is None or preset.path is None:
        raise ConfigError("the model has no weights to convert.", where=preset.name)
    kind = "keras" if to is Format.keras else "hugging_face"
    assets = carried(preset.path, preset.kind, kind, preset.config)
    if (preset.kind, kind) == ("hugging_face", "keras"):
        assets |= keras_tokenizer_files(preset.path)
    with progress("npbert", len(weights), None) as advance:
        pooler = "pooled_dense/kernel" in weights
        counted = _counted(weights, advance)
        model = Model(preset.config, counted, pooler, policy=preset.policy)
        if to is Format.keras:
            save_preset(folder, model, allow_lossy=allow_lossy, assets=assets)
        else:
            save_hugging_face(folder, model, assets=assets)
    return assets


def _counted(
    weights: dict[str, Array], advance: Callable[[int], None]
) -> Iterator[tuple[str, Array]]:
    for pair in weights.items():
        yield pair
        advance(1)
