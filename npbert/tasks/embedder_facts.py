"""What an `Embedder` is made of: its model, its limits, what its files say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from npbert.backbone import BertBackbone
from npbert.tasks.encoder import Encoder
from npbert.text.limits import Limit
from npbert.text.tokenizer import Tokenizer


class Facts:
    """The part of an `Embedder` that answers questions about it."""

    _encoder: Encoder

    @property
    def backbone(self) -> BertBackbone:
        """The model."""
        return self._encoder.backbone

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self._encoder.text_side.tokenizer

    @property
    def pooling(self) -> str:
        """``"mean"``, ``"cls"``, ...; with ``+`` between them where several are concatenated."""
        return "+".join(self._encoder.head.modes)

    @property
    def normalize(self) -> bool:
        """Whether the model's own modules give every vector length 1."""
        return self._encoder.head.normalizes

    @property
    def max_seq_length(self) -> int:
        """The most tokens of a text that are read, [CLS] and [SEP] included."""
        return self.limit.value

    @property
    def limit(self) -> Limit:
        """``max_seq_length``, where it comes from, and every other limit that was found."""
        return self._encoder.text_side.limit

    @property
    def prompts(self) -> Mapping[str, str]:
        """What the model puts before a text, by the name that ``prompt_name`` takes."""
        return self._encoder.text_side.modules.prompts

    @property
    def default_prompt_name(self) -> str | None:
        """The prompt of ``encode`` where none is asked for."""
        return self._encoder.text_side.modules.default_prompt_name

    @property
    def similarity_fn_name(self) -> str:
        """What `similarity` computes: one of `npbert.tasks.similarity.SIMILARITIES`."""
        return self._encoder.text_side.modules.similarity_fn_name

    def get_embedding_dimension(self) -> int:
        """The length of a vector."""
        return self._encoder.dimension

    def info(self) -> dict[str, Any]:
        """What decides the vectors, and what they cost: plain values, ready for JSON."""
        return {
            "path": str(self.backbone.path),
            "config": self.backbone.config.to_dict(),
            "dimension": self.get_embedding_dimension(),
            "pooling": self.pooling,
            "normalize": self.normalize,
            "max_seq_length": self.max_seq_length,
            "max_seq_length_source": self.limit.source,
            "max_seq_length_candidates": dict(self.limit.candidates),
            "prompts": dict(self.prompts),
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self.similarity_fn_name,
            "dtype": self.backbone.dtype_policy.name,
            "parameters": self.backbone.count_params(),
            "num_threads": self.backbone.num_threads,
            "num_threads_source": self.backbone.num_threads_reason,
        }

    def __repr__(self) -> str:
        return (
            f"Embedder({str(self.backbone.path)!r}, dimension={self.get_embedding_dimension()},"
            f" pooling={self.pooling!r}, normalize={self.normalize},"
            f" max_seq_length={self.max_seq_length})"
        )
