"""A tiny sentence-transformers directory: real formats, random weights, sizes that all differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from weights.model_files import hugging_face, write_safetensors

from npbert.config import BertConfig
from npbert.engine.packed import random_weights
from npbert.weights.names import weight_shapes

WORDS = [
    *("the", "river", "runs", "past", "an", "old", "stone", "mill"),
    *("and", "under", "bridge", "near", "our", "house"),
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, *WORDS, *"aeiou", *(f"##{letter}" for letter in "aeiourns")]
CLS, SEP = 2, 3

# S 2, L 3, N 4, H 5, P 19, D 20, V 32, F 37
CONFIG = BertConfig(
    vocabulary_size=len(VOCABULARY),
    num_layers=3,
    num_heads=4,
    hidden_dim=20,
    intermediate_dim=37,
    max_sequence_length=19,
    num_segments=2,
    activation="gelu",
)
LIMIT = 11  # of sentence_bert_config.json
BAKED = 6  # into tokenizer.json, together with padding to as many

_TYPES = "sentence_transformers.models."


def tokenizer() -> Tokenizer:
    """WordPiece over `VOCABULARY`, lower case, with truncation and padding as after training."""
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    library = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    library.add_special_tokens(SPECIAL)
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    library.enable_truncation(BAKED)
    library.enable_padding(length=BAKED)
    return library


PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁the", "▁mill", "▁river", "s", "e", "<mask>"]


def sentence_piece() -> Tokenizer:
    """A Unigram vocabulary with the special tokens of XLM-R, as multilingual-e5-small has."""
    library = Tokenizer(models.Unigram([(piece, -1.0) for piece in PIECES], unk_id=3))
    library.add_special_tokens([piece for piece in PIECES if piece[0] == "<"])
    library.normalizer = normalizers.NFKC()
    spaces = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    library.pre_tokenizer = pre_tokenizers.Sequence(spaces)
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return library


def write_tiny_model(
    directory: Path, *, pooling: str = "mean", normalize: bool = True, seed: int = 3
) -> Path:
    """Write every file of the model; the same arguments give the same vectors."""
    directory.mkdir(exist_ok=True)
    fields = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": CONFIG.vocabulary_size,
        "num_hidden_layers": CONFIG.num_layers,
        "num_attention_heads": CONFIG.num_heads,
        "hidden_size": CONFIG.hidden_dim,
        "intermediate_size": CONFIG.intermediate_dim,
        "max_position_embeddings": CONFIG.max_sequence_length,
        "type_vocab_size": CONFIG.num_segments,
        "hidden_act": CONFIG.activation,
        "hidden_dropout_prob": CONFIG.dropout,
        "layer_norm_eps": CONFIG.layer_norm_epsilon,
    }
    write_json(directory / "config.json", fields)
    weights = random_weights(weight_shapes(CONFIG), seed)
    write_safetensors(directory / "model.safetensors", hugging_face(weights, CONFIG))
    tokenizer().save(str(directory / "tokenizer.json"))
    write_json(directory / "tokenizer_config.json", {"model_max_length": 10**30})
    settings = {"max_seq_length": LIMIT, "do_lower_case": False}
    write_json(directory / "sentence_bert_config.json", settings)
    write_modules(directory, *["Normalize"][: int(normalize)])
    write_json(directory / "1_Pooling" / "config.json", {"pooling_mode": pooling})
    return directory


def write_modules(directory: Path, *after_pooling: str) -> None:
    """modules.json with Transformer, Pooling, and what is named."""
    modules = [{"path": "", "type": _TYPES + "Transformer"}]
    for i, kind in enumerate(("Pooling", *after_pooling), 1):
        modules.append({"path": f"{i}_{kind}", "type": _TYPES + kind})
    write_json(directory / "modules.json", modules)


def write_dense(
    folder: Path, inputs: int, outputs: int, *, bias: bool = True, **fields: Any
) -> dict[str, NDArray[np.float32]]:
    """A Dense module with random weights, which are returned; ``fields`` go into its config."""
    random = np.random.default_rng(7)
    arrays = {"linear.weight": random.normal(size=(outputs, inputs)).astype(np.float32)}
    if bias:
        arrays["linear.bias"] = random.normal(size=outputs).astype(np.float32)
    config = {"in_features": inputs, "out_features": outputs, "bias": bias, **fields}
    write_json(folder / "config.json", config)
    write_safetensors(folder / "model.safetensors", arrays)
    return arrays


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
