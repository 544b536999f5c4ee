"""Tiny task models: random heads on random BERTs, in memory and as Hugging Face's directories."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from text.tiny_model import CONFIG, VOCABULARY, write_tiny_model
from weights.model_files import change_json, hugging_face, write_safetensors

from npbert.backbone import BertBackbone
from npbert.engine.packed import random_weights
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.tasks.text_classifier import BertTextClassifier
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertMaskedLMPreprocessor, BertTextClassifierPreprocessor
from npbert.weights.heads import classifier_tensors, masked_lm_tensors
from npbert.weights.names import Tensor, weight_shapes

KERAS = dataclasses.replace(CONFIG, activation="gelu_approximate")
"""S 2, L 3, N 4, H 5, P 19, D 20, V 32, F 37."""

CLASSES = 6
LENGTH = 9  # of a preprocessor: shorter than P

PAIRS = [
    ("the river runs", "past an old mill"),
    ("old stone", "the mill and the bridge near our house"),
    ("a", "e"),
    ("under the bridge", ""),
]
TEXTS = ["the river", "", "an old stone mill and our house near the bridge", "mill, mill!", "u o"]


def lively(tensors: list[Tensor], seed: int) -> dict[str, np.ndarray]:
    """Random tensors of order 1, so that no output is flat."""
    random = np.random.default_rng(seed)
    return {t.name: np.float32(random.standard_normal(t.shape) * 0.4) for t in tensors}


def backbone(config=KERAS, seed: int = 1, **settings: Any) -> BertBackbone:
    """A model of lively weights."""
    random = np.random.default_rng(seed)
    weights = {
        name: np.float32(random.standard_normal(shape) * 0.3 + (1 if name.endswith("gamma") else 0))
        for name, shape in weight_shapes(config).items()
    }
    return BertBackbone.from_weights(config, weights, **{"num_threads": 1, **settings})


def tokenizer(**settings: Any) -> BertTokenizer:
    return BertTokenizer(VOCABULARY, lowercase=True, **settings)


def classifier(classes: int = CLASSES, **settings: Any) -> BertTextClassifier:
    """A classifier with a preprocessor and a lively head."""
    made = BertTextClassifier(
        settings.pop("backbone", None) or backbone(),
        classes,
        BertTextClassifierPreprocessor(tokenizer(), LENGTH),
        **settings,
    )
    made.set_head_weights(lively(classifier_tensors(made.backbone.config, classes), 2))
    return made


def masked_lm(**settings: Any) -> BertMaskedLM:
    """A masked LM with a preprocessor and a lively head."""
    encoder = settings.pop("backbone", None) or backbone()
    made = BertMaskedLM(encoder, BertMaskedLMPreprocessor(tokenizer(), LENGTH), **settings)
    made.set_head_weights(lively(masked_lm_tensors(made.backbone.config), 3))
    return made


def inputs(rows: int = 3, tokens: int = 7, seed: int = 4, places: int = 0) -> dict[str, np.ndarray]:
    """A batch of token ids; with ``places``, of a masked LM."""
    random = np.random.default_rng(seed)
    made = {
        "token_ids": random.integers(0, len(VOCABULARY), (rows, tokens)),
        "segment_ids": random.integers(0, 2, (rows, tokens)),
        "padding_mask": random.integers(0, 2, (rows, tokens)),
    }
    if places:
        made["mask_positions"] = random.integers(0, tokens, (rows, places))
    return made


# -- Hugging Face's directories --------------------------------------------------------------------


def head_arrays(tensors: list[Tensor], seed: int = 5) -> dict[str, np.ndarray]:
    """A lively head under Hugging Face's names and in its layout."""
    head = lively(tensors, seed)
    return {
        t.hugging_face: np.ascontiguousarray(head[t.name].T if t.is_kernel else head[t.name])
        for t in tensors
    }


def write_head(directory: Path, head: dict[str, np.ndarray], **fields: Any) -> Path:
    """`write_tiny_model` with a head, and without what makes a sentence embedder of it."""
    write_tiny_model(directory)
    (directory / "modules.json").unlink()
    weights = random_weights(weight_shapes(CONFIG), 3)
    named = hugging_face(weights, CONFIG, prefix="bert.")
    write_safetensors(directory / "model.safetensors", named | head)
    change_json(directory / "config.json", lambda config: config.update(fields))
    return directory


def write_classifier(directory: Path, classes: int = CLASSES, **fields: Any) -> Path:
    """As ``BertForSequenceClassification.save_pretrained`` does."""
    labels = {"id2label": {str(i): f"class {i}" for i in range(classes)}}
    fields = {"architectures": ["BertForSequenceClassification"], **labels, **fields}
    return write_head(directory, head_arrays(classifier_tensors(CONFIG, classes)), **fields)


def write_masked_lm(directory: Path, **more: np.ndarray) -> Path:
    """As ``BertForMaskedLM.save_pretrained`` does; ``more`` are tensors of the decoder."""
    head = head_arrays(masked_lm_tensors(CONFIG))
    decoder = {f"cls.predictions.decoder.{name}": array for name, array in more.items()}
    return write_head(directory, head | decoder, architectures=["BertForMaskedLM"])


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
