"""``BertBackbone.summary()``: a model's layers as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping

from npbert.config import BertConfig

Shapes = dict[str, tuple[int, ...]]


def print_summary(name: str, config: BertConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Print layers, the shapes of their tables and kernels, and parameters to stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f'Model "{name}"')
    table.add_column("Layer")
    table.add_column("Tables and kernels")
    table.add_column("Parameters", justify="right")
    for layer, (tensors, times) in _layers(config, shapes).items():
        kernels = {
            path.removesuffix("/kernel"): s for path, s in tensors.items() if "bias" not in path
        }
        large = [f"{path.rsplit('/')[-1]} {s}" for path, s in kernels.items() if len(s) > 1]
        count = f"{sum(math.prod(shape) for shape in tensors.values()):,}"
        table.add_row(layer, "\n".join(large), f"{times} x {count}" if times > 1 else count)
    size = sum(math.prod(shape) for shape in shapes.values())
    console = Console()
    console.print(table)
    console.print(f"Parameters: {size:,} ({size * 4 / 2**20:.1f} MiB of float32)")
    console.print(f"Activation: {config.activation}")


def _layers(
    config: BertConfig, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[Shapes, int]]:
    """Layer -> weight shapes, and how many such layers there are: the encoder's are alike."""
    L = config.num_layers
    encoder = "transformer_layer_0" + (f" to {L - 1}" if L > 1 else "")
    layers: dict[str, tuple[Shapes, int]] = {}
    for path, shape in shapes.items():
        layer, name = path.split("/", 1)
        if layer == "transformer_layer_0":
            layer = encoder
        elif layer.startswith("transformer_layer_"):
            continue
        layers.setdefault(layer, ({}, L if layer == encoder else 1))[0][name] = shape
    return layers
