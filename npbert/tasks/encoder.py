"""Texts to vectors: tokens, equal ones once, in batches, pooled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.backbone import BertBackbone
from npbert.engine import forward
from npbert.ops.pooling import l2_normalize_kernel
from npbert.ops.types import Array
from npbert.progress import progress
from npbert.simd import buffers
from npbert.tasks import chunks
from npbert.tasks.batching import batches
from npbert.tasks.encode_options import Options
from npbert.tasks.model_files import TextSide
from npbert.tasks.pooled import Head
from npbert.tasks.truncation import EncodeInfo, Report

Ids = NDArray[np.int32]

_NO_LIMIT: Final = 1 << 40  # tokens


class Encoder:
    """A model with the way from texts to it, and from it to vectors.

    Args:
        backbone: token ids to token vectors.
        text_side: texts to token ids, and what makes one vector of a text's token vectors.
    """

    def __init__(self, backbone: BertBackbone, text_side: TextSide) -> None:
        self.backbone, self.text_side = backbone, text_side
        self.head = Head(text_side.modules, backbone.config.hidden_dim, backbone.precision)
        self.dimension = min(
            self.head.dimension, text_side.modules.truncate_dim or self.head.dimension
        )

    def prepare(self) -> None:
        """Compile or load the kernels."""
        forward.prepare((*forward.kernels(self.backbone.precision), *self.head.kernels))

    def run(
        self, texts: list[str], options: Options, report: Report
    ) -> tuple[Array | list[Array], EncodeInfo]:
        """The vectors of texts, (B, dimension), or (T, D) each for those of their tokens.

        ``report`` is told of texts that are too long.
        """
        tokenizer, modules, limit, _ = self.text_side
        whole, prompt = options.on_truncate == "chunk", options.prompt
        apart = prompt and not modules.include_prompt
        lead = self._lead(prompt) if whole or apart else 0
        skip = lead if apart else 0
        prompted = [prompt + text for text in texts] if prompt else texts
        encoded = tokenizer.encode(prompted, _NO_LIMIT if whole else limit.value)
        report.note(encoded)
        info = EncodeInfo(encoded.full_lengths, encoded.cut, limit.value)
        if texts:
            self.prepare()
        if options.tokens:
            return self._token_vectors(encoded.ids, options), info
        if whole:
            windows = chunks.cut(encoded.ids, limit.value, lead)
            vectors = self._vectors(windows.ids, options, skip)
            vectors = chunks.join(
                vectors,
                windows,
                normalize=self.head.normalizes,
                precision=self.backbone.precision,
            )
        else:
            vectors = self._vectors(encoded.ids, options, skip)
        return self._finish(vectors, options), info

    def _lead(self, prompt: str) -> int:
        """Tokens before those of a text: [CLS], and the prompt's."""
        ids = self.text_side.tokenizer.encode([prompt], self.text_side.limit.value).ids
        return len(ids[0]) - 1  # the last is [SEP]

    def _vectors(self, sequences: list[Ids], options: Options, skip: int) -> Array:
        """(B, padded dimension), before anything is cut off."""
        ids, numbers = distinct(sequences)
        wide, real = buffers.padded(self.head.dimension), self.backbone.precision.real
        found = buffers.zeros(len(ids), wide, dtype=real)
        for part, rows, starts in self._rows(ids, numbers, options):
            found[part] = self.head(rows, starts, skip)
        return found if len(ids) == len(numbers) else found[numbers]

    def _token_vectors(self, sequences: list[Ids], options: Options) -> list[Array]:
        ids, numbers = distinct(sequences)
        found: list[Array] = [np.empty((0, 0))] * len(ids)
        for part, rows, starts in self._rows(ids, numbers, options):
            for i, start, stop in zip(part, starts[:-1], starts[1:], strict=True):
                found[i] = rows[start:stop, : self.backbone.config.hidden_dim].copy()
        shared = np.bincount(numbers) > 1
        return [found[i].copy() if shared[i] else found[i] for i in numbers]

    def _rows(
        self, ids: list[Ids], numbers: NDArray[np.intp], options: Options
    ) -> Iterator[tuple[NDArray[np.intp], Array, NDArray[np.int64]]]:
        """Batches: which sequences, their rows (R, padded D), and where each begins."""
        times = np.bincount(numbers, minlength=len(ids))
        lengths = np.array([len(each) for each in ids], np.int64)
        with progress("Embedding texts", len(numbers), options.show_progress_bar) as advance:
            for part in batches(lengths, options.batch_size, options.max_batch_tokens):
                yield part, *self._run([ids[i] for i in part])
                advance(int(times[part].sum()))

    def _run(self, ids: list[Ids]) -> tuple[Array, NDArray[np.int64]]:
        """(R, padded D), a row for each token that the mask keeps, and where each text's begin."""
        masked = self.text_side.masked_id
        if masked is None or not any((each == masked).any() for each in ids):
            return self.backbone.encode_ragged(ids)
        kept = [each != masked for each in ids]
        rows, _ = self.backbone.encode_ragged(ids, padding_mask=kept)
        return rows[np.concatenate(kept)], np.cumsum([0, *(each.sum() for each in kept)])

    def _finish(self, vectors: Array, options: Options) -> Array:
        """As sentence-transformers does: first cut off, then made unit vectors."""
        width = options.truncate_dim or self.dimension
        if width < self.head.dimension:
            vectors = buffers.pad_columns(vectors[:, :width])
        if options.normalize and len(vectors):
            l2_normalize_kernel[self.backbone.precision](vectors, vectors)
        return np.ascontiguousarray(vectors[:, :width])


def distinct(sequences: list[Ids]) -> tuple[list[Ids], NDArray[np.intp]]:
    """Each sequence once, and which of them every one is, (B,).

    Equal sequences have equal vectors, to the last bit: one of them is enough.
    """
    seen: dict[bytes, int] = {}
    numbers = [seen.setdefault(ids.tobytes(), len(seen)) for ids in sequences]
    return [np.frombuffer(key, np.int32) for key in seen], np.array(numbers, np.intp)
