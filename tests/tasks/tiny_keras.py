"""A tiny Keras preset of a BertTextEmbedder, as ``save_to_preset`` writes it."""

from __future__ import annotations

from pathlib import Path

from text.tiny_model import CONFIG, LIMIT, VOCABULARY

from npbert import BertBackbone
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertTextEmbedderPreprocessor

FIELDS = {**CONFIG.to_dict(), "activation": "gelu_approximate"}
"""Of the backbone: the sizes of `tiny_model`, the activation of Keras Hub."""


def preprocessor(*, in_strings: bool = False) -> BertTextEmbedderPreprocessor:
    """``in_strings``: whether a text may have special tokens in it."""
    tokenizer = BertTokenizer(VOCABULARY, lowercase=True, special_tokens_in_strings=in_strings)
    return BertTextEmbedderPreprocessor(tokenizer, sequence_length=LIMIT)


def keras_preset(directory: Path, *, in_strings: bool = False) -> Path:
    """It takes the largest values, and normalises."""
    own = preprocessor(in_strings=in_strings)
    BertTextEmbedder(BertBackbone(**FIELDS, seed=1), own, "max").save_to_preset(directory)
    return directory
