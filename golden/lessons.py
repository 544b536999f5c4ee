"""What PyTorch, transformers and sentence-transformers say to the examples of the notebooks."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from golden.bundles import provenance
from golden.minilm import model_dir

# Three tokens, four numbers each: "the", "river", "bank". A fourth is padding.
QUERY: Final = [[0, 1, 1, 2], [1, 1, 0, 2], [0, 4, 0, 0], [1, 1, 1, 1]]
KEY: Final = [[2, 0, 0, 0], [0, 2, 0, 1], [0, 1, 1, 2], [3, 1, 0, 3]]
VALUE: Final = [[1, 0, 0, 0], [0, 4, 0, 2], [0, 0, 4, 2], [9, 9, 9, 9]]
TOKENS: Final = 3

GELU_AT: Final = [-5.0, -2.7, -1.0, -0.5, 0.0, 0.5, 1.0, 2.7, 5.0]
ROW: Final = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 7.0]

BANKS: Final = (
    "the river bank",
    "the boat touched the muddy bank",
    "they fished from the bank of the stream",
    "the bank lent her money",
    "she opened an account at the bank",
    "the bank raised its interest rates",
)
"""Three beside water, then three with money."""

PAIRS: Final = (
    ("A cat sleeps on the sofa.", "A kitten naps on the couch."),
    ("Stocks fell sharply today.", "The market dropped this morning."),
    ("How do I reset my password?", "I cannot log in to my account any more."),
    ("The river bank is flooded.", "Water has risen over the edge of the stream."),
    ("He plays the piano every evening.", "She is a gifted violinist."),
    ("The train to Paris leaves at noon.", "Rail tickets to France are sold out."),
    ("Bake the bread for forty minutes.", "A recipe for sourdough loaves."),
    ("The bank raised its interest rates.", "Borrowing money has become more expensive."),
)
"""Texts that belong together, without many words in common."""


def attention() -> dict[str, Any]:
    """`torch.nn.functional.scaled_dot_product_attention`, one head."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend

    query, key, value = (torch.tensor(x, dtype=torch.float64)[None] for x in (QUERY, KEY, VALUE))
    short = [x[:, :TOKENS] for x in (query, key, value)]
    mask = torch.tensor([[1, 1, 1, 0]], dtype=torch.bool)
    return {
        "query": QUERY,
        "key": KEY,
        "value": VALUE,
        "three": attend(*short)[0].tolist(),
        "four_masked": attend(query, key, value, attn_mask=mask)[0].tolist(),
        "four_unmasked": attend(query, key, value)[0].tolist(),
    }


def elementwise() -> dict[str, Any]:
    """`torch.nn.functional.gelu`, both forms, and ``layer_norm``."""
    import torch
    from torch.nn.functional import gelu, layer_norm

    x = torch.tensor(GELU_AT, dtype=torch.float64)
    row = torch.tensor(ROW, dtype=torch.float64)
    grid = torch.linspace(-6, 6, 1_200_001, dtype=torch.float64)
    gap = (gelu(grid) - gelu(grid, approximate="tanh")).abs()
    return {
        "gelu": {
            "x": GELU_AT,
            "erf": gelu(x).tolist(),
            "tanh": gelu(x, approximate="tanh").tolist(),
            "largest_gap": gap.max().item(),
            "largest_gap_at": abs(grid[gap.argmax()].item()),
        },
        "layer_norm": {"x": ROW, "y": layer_norm(row, row.shape, eps=1e-12).tolist()},
    }


def cosines(vectors: Any) -> Any:
    """(A, D) -> (A, A)"""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (unit @ unit.T).round(9)


def hidden_states(texts: list[str]) -> list[tuple[Any, Any]]:
    """transformers' AutoModel on each text alone: ids (T,), and hidden states (L + 1, T, D)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_dir())
    model = AutoModel.from_pretrained(model_dir(), dtype=torch.float64).eval()
    found = []
    for text in texts:
        batch = tokenizer(text, return_tensors="pt", padding=False)
        with torch.no_grad():
            states = model(**batch, output_hidden_states=True).hidden_states
        found.append((batch["input_ids"][0].numpy(), torch.cat(states).numpy()))
    return found


def banks() -> dict[str, Any]:
    """The word "bank" in six sentences, after every layer: the cosines."""
    from transformers import AutoTokenizer

    bank = AutoTokenizer.from_pretrained(model_dir()).convert_tokens_to_ids("bank")
    found = hidden_states(list(BANKS))
    vectors = np.stack([states[:, list(ids).index(bank)] for ids, states in found], axis=1)
    return {"texts": BANKS, "cosines": [cosines(layer).tolist() for layer in vectors]}


def pairs() -> dict[str, Any]:
    """Cosines and lengths of sixteen texts' vectors: sentence-transformers', and three poolings."""
    from sentence_transformers import SentenceTransformer

    texts = [text for pair in PAIRS for text in pair]
    last = [states[-1] for _, states in hidden_states(texts)]
    encoded = SentenceTransformer(str(model_dir()), device="cpu").encode(texts)
    vectors = {
        "sentence_transformers": np.asarray(encoded, np.float64),
        "mean": np.stack([x.mean(axis=0) for x in last]),
        "cls": np.stack([x[0] for x in last]),
        "max": np.stack([x.max(axis=0) for x in last]),
    }
    lengths = {name: np.linalg.norm(x, axis=1).round(6).tolist() for name, x in vectors.items()}
    found = {name: cosines(x).tolist() for name, x in vectors.items()}
    return {"texts": texts, "lengths": lengths} | found


def base() -> dict[str, int]:
    """BERT-base: its parameters, and what PyTorch counts in one pass over 1 x 128 tokens."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(attn_implementation="eager")).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=torch.ones(1, 128, dtype=torch.int64))
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops_1x128": counter.get_total_flops(),
    }


def run_all(work: Path) -> None:
    """Write ``work/out/lessons.json``."""
    library = "sentence-transformers"
    found = {
        "provenance": provenance() | {library: importlib.metadata.version(library)},
        "attention": attention(),
        **elementwise(),
        "banks": banks(),
        "pairs": pairs(),
        "bert_base": base(),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()]
    path = work / "out" / "lessons.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
