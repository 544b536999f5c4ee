"""``npbert info``: what a model's files say, and which of them is in force."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from npbert.errors import NpbertError
from npbert.text.limits import ARGUMENT

if TYPE_CHECKING:
    from npbert.config import BertConfig
    from npbert.presets import Preset
    from npbert.presets.directory import Kind

EXAMPLE = "Example: npbert info all-MiniLM-L6-v2"

Rows = Iterator[tuple[str, object]]

_ACTIVATIONS: Final = {
    "gelu": "gelu: by erf, as Hugging Face computes it",
    "gelu_approximate": "gelu_approximate: by tanh, as Keras Hub computes it",
}


def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model's directory, or a known name.")
    ],
) -> None:
    """Show a model's config, its limits and where each comes from, its size, and what runs it."""
    from rich.console import Console
    from rich.table import Table

    from npbert.presets import load_preset

    preset = load_preset(model, load_weights=False)
    table = Table(show_header=False, title=preset.name)
    for rows in (_files(preset), _config(preset), _text(preset), _machine()):
        for name, value in rows:
            table.add_row(name, str(value))
        table.add_section()
    Console().print(table)


def _files(preset: Preset) -> Rows:
    yield "directory", preset.path or "none: the config comes with npbert, the weights do not"
    yield "format", preset.kind


def _config(preset: Preset) -> Rows:
    from npbert.weights import weight_shapes
    from npbert.weights.dtypes import ITEM_BYTES

    config, dtype = preset.config, preset.policy.variable_dtype
    for name, value in config.to_dict().items():
        yield name, _ACTIVATIONS[config.activation] if name == "activation" else value
    yield "dtype policy", _policy(preset)
    count = sum(math.prod(shape) for shape in weight_shapes(config).values())
    yield "parameters", f"{count:,}, with the pooler"
    yield "memory", f"{count * ITEM_BYTES[dtype] / 2**20:,.1f} MiB of {dtype} weights"


def _policy(preset: Preset) -> str:
    """What the model computes in, and what else its files say."""
    name = preset.policy.name
    return name if preset.dtype in (name, None) else f"{name}; the files say {preset.dtype}"


def _text(preset: Preset) -> Rows:
    if preset.path is None or preset.kind == "built-in":
        return
    from npbert.tasks.model_files import read_tokenizer

    try:
        _, limit = read_tokenizer(preset.path, preset.kind, preset.config, None)
        yield from _pooling(preset.path, preset.kind, preset.config)
    except NpbertError as error:
        yield "texts", f"no: {error.what}"
        return
    yield "max_seq_length", f"{limit.value} tokens, from {limit.source}"
    for source, value in limit.candidates.items():
        if source != ARGUMENT:
            yield f"  {source}", "says nothing" if value is None else _tokens(value)


def _tokens(value: int) -> str:
    return "no limit" if value > 10**9 else f"{value} tokens"


def _pooling(path: Path, kind: Kind, config: BertConfig) -> Rows:
    from npbert.tasks.saved_embedder import modules_in
    from npbert.tasks.task_files import TASK

    modules = modules_in(path, kind, config)
    file = TASK if kind == "keras" else "modules.json"
    source = file if modules.stated else "npbert's default; the model does not say"
    yield "pooling", f"{'+'.join(modules.modes)}, from {source}"
    normalized = modules.steps[-1:] == ("normalize",)
    yield "normalized", "yes: vectors have length 1" if normalized else "no"


def _machine() -> Rows:
    from npbert import NUMERICS
    from npbert.engine.threads import thread_count

    count, reason = thread_count()
    yield "threads", f"{count}: {reason}"
    try:
        yield "kernels", _kernels()
    except NpbertError as error:
        yield "kernels", f"none: {error.what}"
    yield "numerics", NUMERICS


def _kernels() -> str:
    """Which kernels run here, and whether they must be compiled first."""
    from npbert.simd import entries, isa
    from npbert.user_cache import user_cache

    (tile, *_), target = isa.choice()
    own = isa.target()
    if target != own:
        return f"{tile} level, from {user_cache()}"
    kept = "on disk" if entries.present(tile, own) else "compiled when they are first needed"
    native = isa.of_target(own)
    made = "this machine's" if tile == native else f"this machine's {native}, in tiles for {tile}"
    return f"{tile} ({made}), {kept}"
