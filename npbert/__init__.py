"""npbert: BERT on a CPU in NumPy and Numba.

The listing of this package is the path of a sentence: `text` turns it into ids, `weights` and
`presets` bring the model, `ops` says what BERT is, `simd` how the machine does it, `engine` how a
batch runs, `backbone` joins them, and `tasks` and `cli` are what people use; `teaching` and `viz`
are for those who want to see it. Start reading at `npbert.reference`: the whole forward pass on one
screen.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from npbert import models as models
    from npbert import parity as parity
    from npbert import teaching as teaching
    from npbert import viz as viz
    from npbert.backbone import Backbone as Backbone
    from npbert.backbone import BertBackbone as BertBackbone
    from npbert.tasks.embedder import Embedder as Embedder
    from npbert.tasks.masked_lm import BertMaskedLM as BertMaskedLM
    from npbert.tasks.text_classifier import BertTextClassifier as BertTextClassifier
    from npbert.tasks.text_embedder import BertTextEmbedder as BertTextEmbedder
    from npbert.teaching.check import check as check
    from npbert.text.bert_tokenizer import BertTokenizer as BertTokenizer
    from npbert.text.preprocessors import BertMaskedLMPreprocessor as BertMaskedLMPreprocessor
    from npbert.text.preprocessors import (
        BertTextClassifierPreprocessor as BertTextClassifierPreprocessor,
    )
    from npbert.text.preprocessors import (
        BertTextEmbedderPreprocessor as BertTextEmbedderPreprocessor,
    )

__version__ = "0.1.0"

NUMERICS = 1
"""The version of the numerics contract. Equal numbers mean equal bits, on every machine."""

# Loaded when first asked for, so that `import npbert` is cheap.
_HOME = {
    "Backbone": "npbert.backbone",
    "BertBackbone": "npbert.backbone",
    "BertMaskedLM": "npbert.tasks.masked_lm",
    "BertMaskedLMPreprocessor": "npbert.text.preprocessors",
    "BertTextClassifier": "npbert.tasks.text_classifier",
    "BertTextClassifierPreprocessor": "npbert.text.preprocessors",
    "BertTextEmbedder": "npbert.tasks.text_embedder",
    "BertTextEmbedderPreprocessor": "npbert.text.preprocessors",
    "BertTokenizer": "npbert.text.bert_tokenizer",
    "Embedder": "npbert.tasks.embedder",
    "check": "npbert.teaching.check",
}

__all__ = [
    "NUMERICS",
    "Backbone",
    "BertBackbone",
    "BertMaskedLM",
    "BertMaskedLMPreprocessor",
    "BertTextClassifier",
    "BertTextClassifierPreprocessor",
    "BertTextEmbedder",
    "BertTextEmbedderPreprocessor",
    "BertTokenizer",
    "Embedder",
    "__version__",
    "check",
    "models",
    "parity",
    "teaching",
    "viz",
]


def __getattr__(name: str) -> Any:
    if name in ("models", "parity", "teaching", "viz"):
        return importlib.import_module(f"npbert.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'npbert' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
