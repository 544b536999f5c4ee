"""What `Embedder.encode` and ``SentenceTransformer.encode`` are asked for, side by side."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

from live.minilm import TEXTS as ALL_TEXTS

from npbert.ops.pooling import POOLINGS

PROMPTS = {"query": "query: ", "document": "", "topic": "Represent this sentence for its topic: "}


class Case(NamedTuple):
    """A model directory: all-MiniLM-L6-v2 with other modules after it.

    Args:
        modes: of the pooling.
        include_prompt: of the pooling.
        after: what follows: "normalize", or the width and the activation of a Dense module.
        settings: of ``SentenceTransformer``.
    """

    modes: tuple[str, ...]
    include_prompt: bool = True
    after: tuple[Any, ...] = ()
    settings: dict[str, Any] | None = None


CASES = {
    **{mode: Case((mode,)) for mode in POOLINGS},
    **{f"{mode}, without prompt": Case((mode,), False) for mode in POOLINGS},
    "as published": Case(("mean",), after=("normalize",)),
    "concatenated": Case(("mean", "max", "lasttoken"), after=("normalize",)),
    "dense": Case(("mean",), False, ((97, "Tanh"),)),
    "dense, concatenated": Case(
        ("cls", "weightedmean"), True, ("normalize", (70, "ReLU"), (65, "GELU"), "normalize")
    ),
    "dense, sigmoid": Case(("max",), True, ((66, "Sigmoid"), (66, "Identity"))),
    "defaults": Case(("mean",), False, (), {"default_prompt_name": "topic", "truncate_dim": 100}),
}

ASKED: list[dict[str, Any]] = [
    {**prompt, **({} if dim is None else {"truncate_dim": dim}), "normalize_embeddings": normalize}
    for prompt, dim, normalize in product(
        ({}, {"prompt_name": "query"}, {"prompt": "Represent this sentence: "}),
        (None, 64),
        (False, True),
    )
]
ASKED += [{"prompt": ""}]
"""Keywords of both, in all combinations; and the empty prompt, which is not the default one."""

SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")

# The empty one, scripts, one that is cut with every prompt, and two that are equal.
TEXTS = [ALL_TEXTS[i] for i in (0, 2, 4, 9, 11, 18, 25, 28)]
TEXTS += ["", TEXTS[0]]


def key(case: str, number: int) -> str:
    """The name of an array: what ``case`` gives for ``ASKED[number]``."""
    return f"{case}.{number}"
