"""Pictures of what a model computes, for notebooks.

``attention``, ``heads``, ``lines``, ``embedding_sum`` and ``similarity_by_layer`` take what
`BertBackbone.run_with_cache` gives and the tokens as text; ``strip`` and ``similarity`` take any
array. Each returns a matplotlib figure that can be read in grey: darker is more where nothing is
below zero, brighter is more elsewhere. Its ``alt`` says in words what it shows; a notebook shows it
as SVG, with that text for those who do not see it. ``show`` prints an array in a few lines.

matplotlib comes with ``pip install 'npbert[notebooks]'``, and is imported when something is drawn.

Example:
    >>> outputs, cache = model.run_with_cache(inputs)
    >>> viz.attention(cache, ["[CLS]", "the", "river", "bank", "[SEP]"], layer=0, head=1)
"""

from npbert.viz.arrays import show
from npbert.viz.attention_maps import attention, heads, lines
from npbert.viz.figures import alt
from npbert.viz.similarity_maps import similarity, similarity_by_layer
from npbert.viz.strips import embedding_sum, strip

__all__ = [
    "alt",
    "attention",
    "embedding_sum",
    "heads",
    "lines",
    "show",
    "similarity",
    "similarity_by_layer",
    "strip",
]
