"""Live Keras Hub: a BertBackbone on the backend that ``KERAS_BACKEND`` names.

A stage is what a layer was called with or what it returned. With ``dropout == 0`` Keras computes
attention in one fused operation: scores and probabilities then exist nowhere, and are absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.errors import NpbertError
from npbert.parity.sources.base import (
    NAMES,
    Base,
    cannot_load,
    cannot_run,
    imported,
    in_batches,
    local_directory,
    split_off,
    versions,
)
from npbert.parity.types import Array, Inputs, Stages, Tokens
from npbert.presets.installed import packaged
from npbert.text.limits import resolve_limit

_FIELDS: Final = (
    *("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim"),
    *("dropout", "max_sequence_length", "num_segments"),
)
_ATTENTION: Final = "_self_attention_layer"
_LAYER: Final = (  # of a TransformerEncoder: the layer, what it receives, what it returns
    (f"{_ATTENTION}.query_dense", None, "query"),
    (f"{_ATTENTION}.key_dense", None, "key"),
    (f"{_ATTENTION}.value_dense", None, "value"),
    (f"{_ATTENTION}._softmax", "scores", "probs"),
    (f"{_ATTENTION}.output_dense", "context", "attention_output"),
    (f"{_ATTENTION}_norm", "attention_residual", "attention_layer_norm"),
    ("_feedforward_output_dense", None, "output"),
    ("_feedforward_layer_norm", "output_residual", "output_layer_norm"),
)
_BACKENDS: Final = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
_VOCABULARIES: Final = ("assets/tokenizer/vocabulary.txt", "vocab.txt")  # of Keras, Hugging Face


class KerasSource(Base):
    """A backbone of Keras Hub, as it is in memory; its layers are wrapped for good.

    Args:
        backbone: a ``keras_hub.models.BertBackbone``.
        preprocessor: Keras Hub's, of texts; None for a source without texts.
        embedder: a ``BertTextEmbedder`` around the backbone; None for one without vectors.
        name: as the user wrote it.
    """

    kind = "keras"

    def __init__(
        self, backbone: Any, preprocessor: Any = None, embedder: Any = None, name: str = "keras"
    ) -> None:
        fields = backbone.get_config()
        super().__init__(
            name,
            config=BertConfig(**{field: fields[field] for field in _FIELDS}),
            environment=_environment(backbone),
        )
        self.backbone, self._preprocessor, self._embedder = backbone, preprocessor, embedder
        self._recorder = _Recorder()
        self._recorder.attach(backbone)
        if fields["dropout"] == 0:
            self.notes.append(
                f"{name} has dropout 0: Keras fuses attention, and shows neither scores nor"
                " probabilities"
            )

    def weights(self) -> Mapping[str, Array] | None:
        return {variable.path: to_numpy(variable) for variable in self.backbone.weights}

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        if self._preprocessor is None:
            return None
        ids: list[list[int]] = []
        segments: list[list[int]] = []
        for some in in_batches(texts):
            made = self._preprocessor(some)
            for row, kind, mask in zip(*(to_numpy(made[name]) for name in NAMES)):
                length = int(np.flatnonzero(mask)[-1]) + 1
                ids.append(row[:length].tolist())
                segments.append(kind[:length].tolist())
        named = self._preprocessor.tokenizer.id_to_token
        return Tokens(ids, [[named(id) for id in row] for row in ids], segment_ids=segments)

    def run(self, inputs: Inputs) -> Stages:
        given = {name: np.asarray(inputs[name], np.int32) for name in NAMES}
        with self._recorder as stages:
            try:
                outputs = self.backbone(given)
            except Exception as error:  # of the backends
                raise cannot_run("Keras Hub", self.name, inputs, error) from error
        names = ("sequence_output", "pooled_output")
        return {**stages, **{name: to_numpy(outputs[name]) for name in names}}

    def encode(self, texts: Sequence[str]) -> Stages | None:
        if self._embedder is None or not texts:
            return None
        given = (self._embedder.preprocessor(some) for some in in_batches(texts))
        vectors = [to_numpy(self._embedder(inputs)) for inputs in given]
        return {"text.vector": np.concatenate(vectors)}


def open_source(rest: str, name: str) -> KerasSource:
    """``PRESET[@DTYPE]``"""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    models = imported("keras_hub", _packages(), "keras").models
    preset, dtype = split_off(rest, "@")
    if packaged(preset):
        preset = str(local_directory(preset))
    try:
        return _load(models, preset, dtype, name)
    except NpbertError:
        raise
    except Exception as error:  # of the hubs' clients, of h5py, of Keras
        raise cannot_load("Keras Hub", Path(preset), error) from error


def _load(models: Any, preset: str, dtype: str | None, name: str) -> KerasSource:
    directory = Path(preset)
    settings = {} if dtype is None else {"dtype": dtype}
    texts = [(directory / file).exists() for file in _VOCABULARIES]
    if directory.is_dir() and not any(texts):
        return KerasSource(models.BertBackbone.from_preset(preset, **settings), name=name)
    if _is_embedder(directory):
        embedder = models.BertTextEmbedder.from_preset(preset, **settings)
        return KerasSource(embedder.backbone, embedder.preprocessor, embedder, name)
    backbone = models.BertBackbone.from_preset(preset, **settings)
    longest = backbone.max_sequence_length
    if directory.is_dir():
        longest = resolve_limit(directory, positions=longest, least=3).value
    kind = models.BertTextEmbedderPreprocessor
    return KerasSource(backbone, kind.from_preset(preset, sequence_length=longest), name=name)


def _is_embedder(directory: Path) -> bool:
    """Whether the files say how texts become vectors: Keras Hub's, or sentence-transformers'."""
    task = directory / "task.json"
    if task.exists():
        return "BertTextEmbedder" in task.read_text(encoding="utf-8")
    return (directory / "modules.json").exists()


def _packages() -> str:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return f"keras-hub {_BACKENDS.get(backend, '')}".strip()


def _environment(backbone: Any) -> dict[str, str]:
    backend: str = imported("keras", "keras", "keras").backend.backend()
    library = ("tensorflow", "tensorflow-cpu") if backend == "tensorflow" else (backend,)
    policy: str = backbone.dtype_policy.name
    found = {"backend": backend, "dtype": policy}
    return {**found, **versions("keras", "keras-hub", *library)}


def to_numpy(value: Any) -> Array:
    """A copy, for a backend may use an array's memory again."""
    return np.array(imported("keras", "keras", "keras").ops.convert_to_numpy(value))


class _Recorder:
    """Keeps what layers receive and return, inside ``with recorder as stages``."""

    def __init__(self) -> None:
        self._stages: dict[str, Array] | None = None

    def __enter__(self) -> dict[str, Array]:
        self._stages = {}
        return self._stages

    def __exit__(self, *_: object) -> None:
        self._stages = None

    def attach(self, model: Any) -> None:
        """Wrap every layer of a backbone that shows a stage."""
        for name in ("token", "position", "segment"):
            self._layer(getattr(model, f"{name}_embedding"), None, f"embeddings.{name}")
        self._layer(model.embeddings_add, None, "embeddings.sum")
        self._layer(model.embeddings_layer_norm, None, "embeddings.layer_norm")
        for i, layer in enumerate(model.transformer_layers):
            at = f"layer.{i}."
            for path, received, returned in _LAYER:
                self._layer(attrgetter(path)(layer), received and at + received, at + returned)
            dense = layer._feedforward_intermediate_dense
            dense.activation = self._watch(dense.activation, f"{at}intermediate", f"{at}activation")

    def _layer(self, layer: Any, received: str | None, returned: str) -> None:
        layer.call = self._watch(layer.call, received, returned)

    def _watch(
        self, function: Callable[..., Any], received: str | None, returned: str
    ) -> Callable[..., Any]:
        def watched(first: Any, *args: Any, **kwargs: Any) -> Any:
            result = function(first, *args, **kwargs)
            if self._stages is not None:
                if received:
                    self._stages[received] = to_numpy(first)
                self._stages[returned] = to_numpy(result)
            return result

        return watched
