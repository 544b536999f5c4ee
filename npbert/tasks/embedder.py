"""`Embedder`: texts to vectors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.backbone import BertBackbone
from npbert.engine import forward
from npbert.errors import ConfigError, InputTypeError, ModelFileError
from npbert.ops.pooling import l2_normalize_kernel, max_pool_kernel, mean_pool_kernel
from npbert.progress import progress
from npbert.simd import buffers
from npbert.tasks.similarity import cosine_similarity
from npbert.text.limits import Limit, resolve_limit
from npbert.text.sentence_transformers import Pooling, read_lowercase, read_pooling
from npbert.text.tokenizer import Encoded, Tokenizer

F32 = NDArray[np.float32]

_TOKENS_AT_ONCE: Final = 16_384  # bounds the rows in memory, however large batch_size is
_POOL_KERNELS: Final = {"mean": mean_pool_kernel, "max": max_pool_kernel}
_NO_LISTS: Final = (bytes, bytearray, Mapping, set, frozenset)  # not text, or without an order


class Embedder:
    """A BERT that turns texts into vectors, as its sentence-transformers files describe.

    A text's vector is the same to the last bit whatever other texts are around it, in any order,
    with any ``batch_size`` and any number of threads.

    Args:
        model: a model's directory, the name of an installed one (``"all-MiniLM-L6-v2"``), a handle
            (``"hf://sentence-transformers/all-MiniLM-L6-v2"``), or a `BertBackbone` loaded from
            one of them.
        activation: replaces the config's, for instance by Keras Hub's ``"gelu_approximate"``.
        max_seq_length: replaces the model's limit on tokens, up to its position table.
        num_threads: None means every CPU this process may use.

    Raises:
        ModelFileError, ConfigError, WeightError, UnsupportedModelError, UnsafeModelError: the
            message says what is wrong, where, and what to do.

    Example:
        >>> embedder = Embedder("all-MiniLM-L6-v2")
        >>> embedder.encode(["The cat sat.", "A cat was sitting."]).shape
        (2, 384)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | BertBackbone,
        *,
        activation: str | None = None,
        max_seq_length: int | None = None,
        num_threads: int | None = None,
    ) -> None:
        self.backbone = _backbone(model, activation, num_threads)
        self._directory = _directory(self.backbone)
        self._pooling = _pooling(self._directory, self.backbone.config.hidden_dim)
        self.tokenizer = Tokenizer.from_directory(
            self._directory, lowercase=read_lowercase(self._directory)
        )
        self._limit = resolve_limit(
            self._directory,
            positions=self.backbone.config.max_sequence_length,
            least=self.tokenizer.special_tokens + 1,
            argument=max_seq_length,
            baked=self.tokenizer.baked_limit,
        )

    @property
    def pooling(self) -> str:
        """``"mean"``, ``"cls"`` or ``"max"``."""
        return self._pooling.mode

    @property
    def normalize(self) -> bool:
        """Whether vectors have length 1 unless ``encode`` is told otherwise."""
        return self._pooling.normalize

    @property
    def max_seq_length(self) -> int:
        """The most tokens of a text that are read, [CLS] and [SEP] included."""
        return self._limit.value

    @property
    def limit(self) -> Limit:
        """``max_seq_length``, where it comes from, and every other limit that was found."""
        return self._limit

    def get_embedding_dimension(self) -> int:
        """The length of a vector."""
        return self.backbone.config.hidden_dim

    def prepare(self) -> None:
        """Compile or load the kernels now rather than in the first ``encode``."""
        pooling = [*_POOL_KERNELS.values(), l2_normalize_kernel]
        forward.prepare((*forward.KERNELS, *pooling))

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        batch_size: int = 32,
        normalize_embeddings: bool | None = None,
        show_progress_bar: bool | None = None,
    ) -> F32:
        """Turn texts into vectors.

        Texts longer than ``max_seq_length`` tokens lose their end; one warning counts them.

        Args:
            texts: one text, or several.
            batch_size: texts in one step. Vectors do not depend on it.
            normalize_embeddings: whether to give vectors length 1; None does what the model says.
            show_progress_bar: None shows one on a terminal when the work takes more than a moment.

        Returns:
            float32: (dim,) for a str, (n, dim) for n texts, (0, dim) for none. An empty text has a
            vector too, that of [CLS] [SEP].

        Raises:
            InputTypeError: a text that is not a str; the message has its index.
            InputError: a text that is not valid Unicode.
            ConfigError: a ``batch_size`` that is not a positive int.
        """
        listed = [texts] if isinstance(texts, str) else _as_list(texts)
        _check_options(batch_size, normalize_embeddings, show_progress_bar)
        encoded = self.tokenizer.encode(listed, self.max_seq_length)
        if encoded.truncated:
            warnings.warn(self._truncation(encoded), stacklevel=2)
        normalize = self.normalize if normalize_embeddings is None else normalize_embeddings
        if listed:
            self.prepare()
        with progress("Embedding texts", len(listed), show_progress_bar) as advance:
            vectors = buffers.zeros(len(listed), buffers.padded(self.get_embedding_dimension()))
            for batch in _batches(encoded.lengths, batch_size):
                vectors[batch] = self._embed([encoded.ids[i] for i in batch])
                advance(len(batch))
        if normalize and listed:
            l2_normalize_kernel(vectors, vectors)
        vectors = np.ascontiguousarray(vectors[:, : self.get_embedding_dimension()])
        return vectors[0] if isinstance(texts, str) else vectors

    def _embed(self, ids: list[NDArray[np.int32]]) -> F32:  # B texts -> (B, padded D)
        rows, starts = self.backbone.encode_ragged(ids)  # (R, padded D), (B + 1,)
        if self.pooling == "cls":
            return rows[starts[:-1]]
        pooled = buffers.empty(len(ids), rows.shape[1])
        _POOL_KERNELS[self.pooling](rows, starts, pooled)
        return pooled

    def _truncation(self, encoded: Encoded) -> str:
        cut, count = encoded.truncated, len(encoded.ids)
        return (
            f"cut {cut:,} of {count:,} texts after {self.max_seq_length} tokens, the limit of"
            f" {self._limit.source}; the longest has {encoded.full_lengths.max():,}"
        )

    def similarity(self, a: ArrayLike, b: ArrayLike) -> F32:
        """(A, D), (B, D) -> (A, B): the cosine of each vector of ``a`` with each of ``b``.

        See `npbert.tasks.similarity.cosine_similarity`.
        """
        return cosine_similarity(a, b)

    def info(self) -> dict[str, Any]:
        """What decides the vectors, and what they cost: plain values, ready for JSON."""
        return {
            "path": str(self._directory),
            "config": self.backbone.config.to_dict(),
            "dimension": self.get_embedding_dimension(),
            "pooling": self.pooling,
            "normalize": self.normalize,
            "max_seq_length": self.max_seq_length,
            "max_seq_length_source": self._limit.source,
            "max_seq_length_candidates": dict(self._limit.candidates),
            "parameters": self.backbone.count_params(),
            "num_threads": self.backbone.num_threads,
            "num_threads_source": self.backbone.num_threads_reason,
        }

    def __repr__(self) -> str:
        return (
            f"Embedder({str(self._directory)!r}, dimension={self.get_embedding_dimension()},"
            f" pooling={self.pooling!r}, normalize={self.normalize},"
            f" max_seq_length={self.max_seq_length})"
        )


def _backbone(
    model: str | os.PathLike[str] | BertBackbone, activation: str | None, num_threads: int | None
) -> BertBackbone:
    if not isinstance(model, BertBackbone):
        overrides: dict[str, Any] = {} if activation is None else {"activation": activation}
        return BertBackbone.from_preset(model, num_threads=num_threads, **overrides)
    for name, wanted, has in (
        ("activation", activation, model.config.activation),
        ("num_threads", num_threads, model.num_threads),
    ):
        if wanted is not None and wanted != has:
            raise ConfigError(
                f"{name} cannot be changed on a model that is loaded.",
                received=repr(wanted),
                expected=f"None or {has!r}, which the model has",
                fix=f"BertBackbone.from_preset(..., {name}={wanted!r})",
            )
    return model


def _directory(backbone: BertBackbone) -> Path:
    if backbone.path is None:
        raise ModelFileError(
            "the model comes from no directory, so there is no tokenizer for it.",
            expected="a BertBackbone that from_preset loaded from a directory",
            fix="give Embedder the directory, or call the model with token ids",
        )
    return backbone.path


def _pooling(directory: Path, hidden_dim: int) -> Pooling:
    """The directory's pooling; a warning where it says nothing, for the guess may be wrong."""
    pooling = read_pooling(directory)
    if pooling.dimension not in (None, hidden_dim):
        raise ModelFileError(
            "the pooling was made for vectors of another width.",
            where=directory / "1_Pooling",
            received=pooling.dimension,
            expected=f"{hidden_dim}, the model's hidden_dim",
            fix="check that the files belong to one model",
        )
    if not pooling.stated:
        warnings.warn(
            f"{directory} has no modules.json, which says how to make one vector of a text:"
            " taking the mean of its tokens, not normalised",
            stacklevel=3,
        )
    return pooling


def _as_list(texts: object) -> list[str]:
    kind = type(texts).__name__
    if isinstance(texts, Iterable) and not isinstance(texts, _NO_LISTS):
        return list(cast("Iterable[str]", texts))
    raise InputTypeError(
        "texts must be a str or a list of str.",
        received=kind,
        fix="pass a list; the order of the vectors is that of the texts",
    )


def _check_options(batch_size: object, normalize: object, show: object) -> None:
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise ConfigError(
            "batch_size must be an int of 1 or more.", received=repr(batch_size), fix="try 32"
        )
    for name, value in (("normalize_embeddings", normalize), ("show_progress_bar", show)):
        if value is not None and not isinstance(value, bool):
            raise InputTypeError(f"{name} must be True, False or None.", received=repr(value))


def _batches(lengths: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.intp]]:
    """Texts to compute together; longest first, so that the first step is the largest."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        stop = start + max(1, min(batch_size, _TOKENS_AT_ONCE // longest))
        yield order[start:stop]
        start = stop
