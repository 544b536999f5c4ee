"""Who looks at whom: the attention of one head, as a map or as lines, and of all heads.

Shapes: see `npbert.shapes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from npbert.viz.figures import FEW, SMALL, alt, heat_map, new_figure, plain
from npbert.viz.stages import StageCache, Values, check_tokens, index, num_layers, stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention(
    cache: StageCache, tokens: Sequence[str], layer: int, head: int, *, row: int = 0
) -> Figure:
    """One head as a heat map: each row is a token that looks, and sums to 1.

    Args:
        cache: what `BertBackbone.run_with_cache` gives; ``layer.LAYER.probs`` is read.
        tokens: of the sequence, as text; without its padding if you like.
        layer, head: which, from 0.
        row: which sequence of the batch.

    Raises:
        InputError: the cache has no such layer, head or row, or tokens do not fit it.
        DependencyError: matplotlib is not installed.
    """
    probs, tokens = _of_head(cache, tokens, layer, head, row)
    side = 1.4 + 0.42 * len(tokens)
    figure = new_figure(min(side + 0.6, 9), min(side, 8))
    axes = figure.subplots()
    digits = 2 if len(tokens) <= FEW else None
    image = heat_map(axes, probs, rows=tokens, columns=tokens, signed=False, most=1, digits=digits)
    axes.set_title(f"layer {layer}, head {head}", fontsize=SMALL + 1)
    axes.set_ylabel("this token looks ...", fontsize=SMALL)
    axes.set_xlabel("... at this one", fontsize=SMALL)
    figure.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=SMALL - 1)
    return alt(figure, f"{_title(layer, head)} as a heat map. {_strongest(probs, tokens)}")


def lines(
    cache: StageCache, tokens: Sequence[str], layer: int, head: int, *, row: int = 0
) -> Figure:
    """One head as lines from the tokens on the left to those they look at; thicker is more.

    Args and errors are those of `attention`.
    """
    probs, tokens = _of_head(cache, tokens, layer, head, row)
    figure = new_figure(4.2, 0.6 + 0.3 * len(tokens))
    axes = figure.subplots()
    for i, token in enumerate(tokens):
        axes.text(-0.03, i, plain(token), ha="right", va="center", fontsize=SMALL + 1)
        axes.text(1.03, i, plain(token), ha="left", va="center", fontsize=SMALL + 1)
        for j, weight in enumerate(probs[i]):
            if weight >= 0.01:
                shade = {"color": "black", "alpha": 0.15 + 0.85 * weight, "linewidth": 4 * weight}
                axes.plot((0, 1), (i, j), **shade)
    axes.set_xlim(-0.6, 1.6)
    axes.set_ylim(len(tokens) - 0.5, -0.5)
    axes.set_axis_off()
    axes.set_title(f"layer {layer}, head {head}", fontsize=SMALL + 1)
    return alt(figure, f"{_title(layer, head)} as lines. {_strongest(probs, tokens)}")


def heads(
    cache: StageCache, tokens: Sequence[str], layer: int | None = None, *, row: int = 0
) -> Figure:
    """Every head as a small map, a row of them for each layer.

    Args:
        cache, tokens, row: as in `attention`.
        layer: one layer only; None draws all.

    Raises:
        InputError, DependencyError: as for `attention`.
    """
    every = range(max(1, num_layers(cache)))  # of none, the first is what is missed
    layers = every if layer is None else [layer]
    maps = [stage(cache, f"layer.{i}.probs", row) for i in layers]
    N = len(maps[0])
    T = len(check_tokens(tokens, maps[0].shape[-1]))
    side = max(0.66, min(1.8, 9 / N))
    figure = new_figure(0.4 + side * N, 0.4 + side * len(maps))
    grid = figure.subplots(len(maps), N, squeeze=False)
    for i, probs, places in zip(layers, maps, grid, strict=True):
        for head, axes in enumerate(places):
            heat_map(axes, probs[head, :T, :T], signed=False, most=1)
            axes.set_aspect("equal")
            if i == layers[0]:
                axes.set_title(f"head {head}", fontsize=SMALL)
        places[0].set_ylabel(f"layer {i}", fontsize=SMALL)
    shown = " ".join(tokens)
    many = f"{len(maps)} layer{'s' * (len(maps) > 1)} with {N} head{'s' * (N > 1)} each"
    text = f"Small attention maps of {many}, of the tokens {shown}."
    return alt(figure, f"{text} Each row of a map is a token that looks; darker is more.")


def _of_head(
    cache: StageCache, tokens: Sequence[str], layer: int, head: int, row: int
) -> tuple[Values, list[str]]:
    """The probabilities of one head among the tokens that are given, (T, T), and the tokens."""
    probs = stage(cache, f"layer.{layer}.probs", row)
    kept = check_tokens(tokens, probs.shape[-1])
    T = len(kept)
    return probs[index(head, len(probs), "head"), :T, :T], kept


def _title(layer: int, head: int) -> str:
    return f"Attention of layer {layer}, head {head}"


def _strongest(probs: Values, tokens: list[str]) -> str:
    """In words, the token that each of the first few looks at most."""
    best = probs.argmax(axis=-1)
    said = [f"{tokens[i]} at {tokens[j]} ({probs[i, j]:.2f})" for i, j in enumerate(best[:FEW])]
    return f"Most looked at: {', '.join(said)}."
