"""`BertTextEmbedder`: texts to vectors, under Keras Hub's names.

Source: keras_hub/src/models/bert/bert_text_embedder.py and keras_hub/src/models/text_embedder.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from npbert.backbone import BertBackbone
from npbert.config import unknown_name
from npbert.dtype_policy import numpy_dtype
from npbert.engine.inputs import NAMES, Inputs, check_inputs
from npbert.errors import ConfigError, InputTypeError
from npbert.ops.types import Array
from npbert.simd import buffers
from npbert.simd.kernel import Kernel, PlainKernel
from npbert.tasks import similarity
from npbert.tasks.batching import check_count
from npbert.tasks.embedder import Embedder
from npbert.tasks.keywords import known_keywords
from npbert.tasks.loading import SAVED, open_preset
from npbert.tasks.pooled import Head
from npbert.tasks.saved_embedder import POOLINGS, modules_of, saved_embedder, text_side
from npbert.tasks.task import Reader, Task
from npbert.text.preprocessors import BertTextEmbedderPreprocessor
from npbert.weights.names import Tensor


class BertTextEmbedder(Task):
    """A BERT with pooling: one vector of length 1 for every text.

    It is `Embedder` with Keras Hub's names and its ways: always (B, dim), compared by dot product.

    Args:
        backbone: a `BertBackbone`.
        preprocessor: makes token ids of texts; None takes token ids only.
        pooling_mode: ``"mean"``, ``"cls"`` or ``"max"``.
        normalize: whether to give vectors length 1.
        name: what ``get_config`` calls it.

    Raises:
        ConfigError: an argument that there is not, or a value that it cannot have.

    Example:
        >>> embedder = BertTextEmbedder.from_preset("all_minilm_l6_v2_en")
        >>> query = embedder.encode_text("Which planet is known as the Red Planet?")
        >>> documents = embedder.encode_documents(["Mars is red.", "Venus is hot."])
        >>> embedder.similarity(query, documents).shape
        (1, 2)
    """

    _CLASS: ClassVar = "BertTextEmbedder"
    _MODULE: ClassVar = "bert_text_embedder"
    _GROUPS: ClassVar = {}
    _PREPROCESSOR: ClassVar = BertTextEmbedderPreprocessor

    @known_keywords()
    def __init__(
        self,
        backbone: BertBackbone,
        preprocessor: Reader | None = None,
        pooling_mode: str = "mean",
        normalize: bool = True,
        *,
        name: str | None = None,
    ) -> None:
        if pooling_mode not in POOLINGS:
            raise unknown_name("pooling_mode", str(pooling_mode), list(POOLINGS))
        if not isinstance(normalize, bool):
            raise ConfigError("normalize must be True or False.", received=repr(normalize))
        self.pooling_mode, self.normalize = pooling_mode, normalize
        super().__init__(backbone, preprocessor, name, None)
        modules = modules_of(pooling_mode, normalize)
        self._head = Head(modules, backbone.config.hidden_dim, backbone.precision)

    @classmethod
    @known_keywords()
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        load_weights: bool = True,
        *,
        preprocessor: Reader | Literal["saved"] | None = SAVED,
        pooling_mode: str | None = None,
        normalize: bool | None = None,
        max_seq_length: int | None = None,
        trust: bool = True,
        num_threads: int | None = None,
        dtype: object = None,
        name: str | None = None,
    ) -> Self:
        """An embedder with its pooling.

        Args:
            preset: as for `BertBackbone.from_preset`: of Keras Hub, or of sentence-transformers.
            load_weights: False gives a backbone with random weights.
            preprocessor: replaces the model's own; None takes token ids only.
            pooling_mode, normalize: replace what the files say; Keras Hub's defaults where they
                say nothing.
            max_seq_length: replaces the model's limit on tokens.
            trust, num_threads, dtype: as in `BertBackbone`.
            name: what ``get_config`` calls the task.

        Raises:
            UnsupportedModelError: a sentence-transformers model has more modules than fit.
            ModelFileError, ConfigError, WeightError, UnsafeModelError: the message says what is
                wrong, where, and what to do. Nothing is half-loaded.
        """
        source, backbone = open_preset(
            preset, load_weights=load_weights, trust=trust, num_threads=num_threads, dtype=dtype
        )
        settings, own = saved_embedder(source, backbone, preprocessor, max_seq_length)
        asked = {"pooling_mode": pooling_mode, "normalize": normalize, "name": name}
        settings |= {key: value for key, value in asked.items() if value is not None}
        return cls(backbone, own, **settings)

    def _head_tensors(self) -> list[Tensor]:
        return []

    def _kernels(self) -> tuple[Kernel | PlainKernel, ...]:
        return self._head.kernels

    def _own_config(self) -> dict[str, Any]:
        return {"pooling_mode": self.pooling_mode, "normalize": self.normalize}

    # -- running ---------------------------------------------------------------------------------

    def __call__(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """Run on token ids.

        Args:
            inputs: as for a call of `BertBackbone`: three arrays (B, T).

        Returns:
            (B, D), in the backbone's compute dtype. Of a sequence that the mask drops as a whole,
            the mean is 0 and the largest -inf, as in Keras Hub (whose mean in float16 is NaN).

        Raises:
            InputError, InputTypeError: what is wrong with ``inputs``, and how to mend it.
        """
        return self._vectors(check_inputs(inputs, self.backbone.config))

    def _vectors(self, inputs: Inputs) -> Array:
        D, named, kept = self._head.dimension, dict(zip(NAMES, inputs, strict=True)), inputs.kept
        if not len(kept):
            return np.empty((0, D), numpy_dtype(self.backbone.compute_dtype))
        self.prepare()
        first = self.pooling_mode == "cls"  # column 0, also where the mask drops it
        hidden = self.backbone(named, skip_padding=not first)["sequence_output"]  # (B, T, D)
        if first:
            kept = np.zeros_like(kept)
            kept[:, 0] = True
        starts = np.cumsum([0, *kept.sum(axis=1)], dtype=np.int64)
        vectors = self._head(buffers.pad_columns(hidden[kept]), starts)[:, :D]
        return self._returned(np.ascontiguousarray(vectors))

    @known_keywords()
    def predict(
        self, x: object, batch_size: int = 32, *, show_progress_bar: bool | None = None
    ) -> Array:
        """Run on texts, or on many token ids.

        Texts longer than the limit lose their end; one warning counts them.

        Args:
            x: a str, a list of them, or the dictionary that a call takes.
            batch_size: texts in one step at most. Vectors do not depend on it.
            show_progress_bar: None shows one on a terminal, when the work takes over a second.

        Returns:
            (B, D), in the backbone's compute dtype; of a str, (1, D).

        Raises:
            InputError, InputTypeError: what is wrong with ``x``; the message has the index.
            ConfigError: texts, and no preprocessor; or a ``batch_size`` that is no positive int.
        """
        check_count("batch_size", batch_size)
        if isinstance(x, Mapping):
            return self._predict_ids(x, batch_size, show_progress_bar)
        if isinstance(x, tuple):
            raise InputTypeError(
                "a tuple is segments in Keras Hub, and several texts elsewhere.",
                received=f"{x!r:.80}",
                fix="pass a list of texts; for segments, what the preprocessor makes of them",
            )
        texts: Any = [x] if isinstance(x, str) else x
        return self._returned(
            self._embedder().encode(
                texts, batch_size=batch_size, show_progress_bar=show_progress_bar
            )
        )

    def _predict_ids(self, inputs: Mapping[str, Any], batch_size: int, show: bool | None) -> Array:
        checked = check_inputs(inputs, self.backbone.config)

        def run(rows: slice) -> Array:
            return self._vectors(checked.part(rows))

        return self._in_parts(len(checked.token_ids), run, "Embedding texts", batch_size, show)

    def encode_text(self, text: object, **options: Any) -> Array:
        """`predict` of a text or of several; Keras Hub's name for it."""
        return self.predict(text, **options)

    def encode_documents(self, documents: object, **options: Any) -> Array:
        """`predict` of a document or of several: the same as ``encode_text``."""
        return self.predict(documents, **options)

    def similarity(self, query_embeddings: ArrayLike, document_embeddings: ArrayLike) -> Array:
        """The dot product of every query with every document: (A, D), (B, D) -> (A, B), in the
        backbone's compute dtype."""
        found = similarity.similarity(query_embeddings, document_embeddings, "dot")
        return self._returned(found)

    def _embedder(self) -> Embedder:
        """The same with sentence-transformers' names."""
        modules = modules_of(self.pooling_mode, self.normalize)
        side = text_side(self._reader(), self.backbone, modules)
        return Embedder._from_parts(self.backbone, side)
