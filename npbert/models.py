"""The public classes under Keras Hub's path.

``import npbert as keras_hub`` and ``keras_hub.models.BertBackbone`` then work as its documentation
shows them.
"""

from npbert.backbone import Backbone, BertBackbone
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.tasks.text_classifier import BertTextClassifier
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import (
    BertMaskedLMPreprocessor,
    BertTextClassifierPreprocessor,
    BertTextEmbedderPreprocessor,
)

BertClassifier = BertTextClassifier
"""Keras Hub's older name."""

__all__ = [
    "Backbone",
    "BertBackbone",
    "BertClassifier",
    "BertMaskedLM",
    "BertMaskedLMPreprocessor",
    "BertTextClassifier",
    "BertTextClassifierPreprocessor",
    "BertTextEmbedder",
    "BertTextEmbedderPreprocessor",
    "BertTokenizer",
]
