"""`Embedder`: texts to vectors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.backbone import BertBackbone
from npbert.ops.types import Array
from npbert.tasks import similarity
from npbert.tasks.embedder_facts import Facts
from npbert.tasks.encode_options import (
    CommonKeywords,
    IterKeywords,
    Keywords,
    OnTruncate,
    Options,
    OutputValue,
    check_options,
)
from npbert.tasks.encoder import Encoder
from npbert.tasks.keywords import known_keywords
from npbert.tasks.model_files import TextSide, load_backbone
from npbert.tasks.saved_embedder import read_text_side
from npbert.tasks.texts import blocks, several, texts_of
from npbert.tasks.truncation import EncodeInfo, Report

Texts = str | Iterable[str]


class Embedder(Facts):
    """A BERT that turns texts into vectors, as its sentence-transformers or Keras files describe.

    A text's vector is the same to the last bit whatever other texts are around it, in any order,
    with any ``batch_size`` and any number of threads.

    Args:
        model: a model's directory, the name of an installed one (``"all-MiniLM-L6-v2"``), a handle
            (``"hf://sentence-transformers/all-MiniLM-L6-v2"``), or a `BertBackbone` loaded from
            one of them.
        activation: replaces the config's, for instance by Keras Hub's ``"gelu_approximate"``.
        max_seq_length: replaces the model's limit on tokens, up to its position table.
        num_threads: None means every CPU this process may use.
        dtype: what it computes in, as in `BertBackbone`. None is float32, whatever the files were
            saved in, unless `npbert.config.set_dtype_policy` has set another.
            ``"bfloat16_from_float32"`` and ``"float16_from_float32"`` keep the weights in half the
            memory and compute in float32, which makes single short texts faster. With
            all-MiniLM-L6-v2, over 200 texts, a vector's cosine with that of float32 is then at
            least 0.9999 and 0.999999, and the cosine of two texts moves by up to 0.003 and 0.0004.

    Raises:
        ModelFileError, ConfigError, WeightError, UnsupportedModelError, UnsafeModelError: the
            message says what is wrong, where, and what to do.

    Example:
        >>> embedder = Embedder("all-MiniLM-L6-v2")
        >>> embedder.encode(["The cat sat.", "A cat was sitting."]).shape
        (2, 384)
    """

    @known_keywords()
    def __init__(
        self,
        model: str | os.PathLike[str] | BertBackbone,
        *,
        activation: str | None = None,
        max_seq_length: int | None = None,
        num_threads: int | None = None,
        dtype: object = None,
    ) -> None:
        backbone = load_backbone(model, activation, num_threads, dtype)
        self._encoder = Encoder(backbone, read_text_side(backbone, max_seq_length))

    @classmethod
    def _from_parts(cls, backbone: BertBackbone, text_side: TextSide) -> Embedder:
        embedder = cls.__new__(cls)
        embedder._encoder = Encoder(backbone, text_side)
        return embedder

    # -- texts to vectors ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Compile or load the kernels now rather than in the first ``encode``."""
        self._encoder.prepare()

    @overload
    def encode(
        self,
        inputs: Texts,
        *,
        output_value: Literal["sentence_embedding"] = ...,
        return_info: Literal[False] = ...,
        **rest: Unpack[CommonKeywords],
    ) -> Array: ...

    @overload
    def encode(
        self,
        inputs: Texts,
        *,
        output_value: Literal["sentence_embedding"] = ...,
        return_info: Literal[True],
        **rest: Unpack[CommonKeywords],
    ) -> tuple[Array, EncodeInfo]: ...

    @overload
    def encode(self, inputs: Texts, **keywords: Unpack[Keywords]) -> Any: ...

    @known_keywords()
    def encode(
        self,
        inputs: Texts,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        max_batch_tokens: int | None = None,
        show_progress_bar: bool | None = None,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        output_value: OutputValue = "sentence_embedding",
        on_truncate: OnTruncate = "warn",
        return_info: bool = False,
    ) -> Any:
        """Turn texts into vectors.

        The steps are those of sentence-transformers, in its order: the prompt is put before the
        text; tokens, vectors of tokens, pooling, the model's other modules; then ``truncate_dim``;
        then ``normalize_embeddings``.

        Args:
            inputs: one text, or several: a list, tuple, generator, NumPy array, or a column of
                pandas or polars. Equal texts are computed once.
            prompt_name: which of ``prompts`` to put before each text; None is the model's default.
            prompt: what to put before each text instead.
            batch_size: texts in one step. Vectors do not depend on it.
            max_batch_tokens: tokens in one step, which bounds the memory; None is 16,384.
            show_progress_bar: None shows one on a terminal when the work takes more than a moment.
            normalize_embeddings: True gives vectors length 1; else they are as the model's modules
                leave them, and many models have a module that does so already.
            truncate_dim: how many numbers of a vector to keep; None is what the model's files say.
            output_value: ``"token_embeddings"`` gives the vectors of each text's tokens, [CLS] and
                [SEP] included, before pooling.
            on_truncate: for texts of more than ``max_seq_length`` tokens. They lose their end, or
                their beginning where the model's files say so: ``"warn"`` tells it once,
                ``"ignore"`` does not; ``"error"`` refuses them; ``"chunk"`` reads all of them, in
                windows (`npbert.tasks.chunks`).
            return_info: True returns an `EncodeInfo` too.

        Returns:
            float32 (float64 if that is the model's dtype): (dim,) for a str, (n, dim) for n texts,
            (0, dim) for none. An empty text has a vector too, that of [CLS] [SEP]. Of
            ``"token_embeddings"``: (T, D) for a str, a list of such arrays for several. With
            ``return_info`` a tuple: these, and an `EncodeInfo`.

        Raises:
            InputTypeError: a text that is not a str; the message has its index.
            InputError: a text that is not valid Unicode; or one that is too long, if asked for.
            ConfigError: a keyword that there is not, or a value that it cannot have.
        """
        keywords = Keywords(
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            max_batch_tokens=max_batch_tokens,
            show_progress_bar=show_progress_bar,
            normalize_embeddings=normalize_embeddings,
            truncate_dim=truncate_dim,
            output_value=output_value,
            on_truncate=on_truncate,
            return_info=return_info,
        )
        options = self._options(keywords)
        texts, single = texts_of(inputs)
        report = Report(self.limit, options.on_truncate)
        found, info = self._encoder.run(texts, options, report)
        report.warn()
        result = found[0] if single else found
        return (result, info) if return_info else result

    @known_keywords(*Keywords.__annotations__)
    def encode_query(self, inputs: Texts, **keywords: Unpack[Keywords]) -> Any:
        """`encode` with the model's prompt for queries, unless another is asked for."""
        return self.encode(inputs, **_with_prompt("query", keywords))

    @known_keywords(*Keywords.__annotations__)
    def encode_document(self, inputs: Texts, **keywords: Unpack[Keywords]) -> Any:
        """`encode` with the model's prompt for documents, unless another is asked for."""
        return self.encode(inputs, **_with_prompt("document", keywords))

    @known_keywords(*IterKeywords.__annotations__)
    def encode_iter(self, inputs: Texts, **keywords: Unpack[IterKeywords]) -> Iterator[Array]:
        """Turn texts into vectors one after the other, in bounded memory.

        Args:
            inputs: any iterable; it is read as vectors are asked for, 32 batches ahead at most.
            **keywords: as in `encode`, whose vectors these are, to the last bit.

        Yields:
            (dim,) for each text, in order; of ``"token_embeddings"`` (T, D).
        """
        return self._iterate(several(inputs), self._options(keywords))

    def _iterate(self, inputs: Iterable[object], options: Options) -> Iterator[Array]:
        report = Report(self.limit, options.on_truncate)
        quiet = options._replace(show_progress_bar=False)
        characters = (4 * options.max_batch_tokens) if options.tokens else 1_000_000
        try:
            for texts in blocks(inputs, 32 * options.batch_size, characters):
                yield from self._encoder.run(texts, quiet, report)[0]
        finally:
            report.warn()

    def _options(self, keywords: Keywords | IterKeywords) -> Options:
        modules, dimension = self._encoder.text_side.modules, self._encoder.head.dimension
        return check_options(keywords, modules.prompts, modules.default_prompt_name, dimension)

    def token_count(self, inputs: Texts) -> int | NDArray[np.int64]:
        """How many tokens texts have, [CLS] and [SEP] included and nothing cut: an int for a str,
        (n,) int64 for n texts."""
        texts, single = texts_of(inputs)
        lengths = self.tokenizer.encode(texts, self.max_seq_length).full_lengths
        return int(lengths[0]) if single else lengths

    # -- vectors compared ------------------------------------------------------------------------

    def similarity(self, a: ArrayLike, b: ArrayLike) -> Array:
        """(A, D), (B, D) -> (A, B): each vector of ``a`` with each of ``b``, by the model's
        ``similarity_fn_name``; see `npbert.tasks.similarity.similarity`."""
        return similarity.similarity(a, b, self.similarity_fn_name)

    def similarity_pairwise(self, a: ArrayLike, b: ArrayLike) -> Array:
        """(A, D), (A, D) -> (A,): each vector of ``a`` with the same one of ``b``."""
        return similarity.similarity_pairwise(a, b, self.similarity_fn_name)


def _with_prompt(name: str, keywords: Keywords) -> Keywords:
    asked = keywords.get("prompt") is not None or keywords.get("prompt_name") is not None
    return keywords if asked else {**keywords, "prompt_name": name}
