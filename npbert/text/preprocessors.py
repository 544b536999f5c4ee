"""Keras Hub's three preprocessors for BERT."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from npbert.errors import InputError
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.masking import Masking, MaskRates
from npbert.text.preprocessor import Preprocessor


class BertTextClassifierPreprocessor(Preprocessor):
    """Texts to the inputs of a `BertTextClassifier`; see `Preprocessor`.

    Source: keras_hub/src/models/bert/bert_text_classifier_preprocessor.py.
    """

    module: ClassVar = "bert_text_classifier_preprocessor"
    class_names: ClassVar = ("BertTextClassifierPreprocessor", "BertPreprocessor")

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 512,
        truncate: str = "round_robin",
        *,
        name: str = "bert_text_classifier_preprocessor",
        **unknown: object,
    ) -> None:
        super().__init__(tokenizer, sequence_length, truncate, name=name, **unknown)


class BertTextEmbedderPreprocessor(Preprocessor):
    """Texts to the inputs of a `BertTextEmbedder`; see `Preprocessor`.

    Source: keras_hub/src/models/bert/bert_text_embedder_preprocessor.py.
    """

    module: ClassVar = "bert_text_embedder_preprocessor"
    class_names: ClassVar = ("BertTextEmbedderPreprocessor",)

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 256,
        truncate: str = "round_robin",
        *,
        name: str = "bert_text_embedder_preprocessor",
        **unknown: object,
    ) -> None:
        super().__init__(tokenizer, sequence_length, truncate, name=name, **unknown)


class BertMaskedLMPreprocessor(Preprocessor):
    """Texts to the inputs of a `BertMaskedLM`, with tokens hidden at random; see `Preprocessor`.

    A call returns ``(x, y, sample_weight)``: ``x`` has ``mask_positions`` (M,) int32 besides, ``y``
    are the ids that were hidden, (M,) int32, and ``sample_weight`` (M,) float32 is 1 for each of
    them and 0 after; with (B, M) for a batch. M = ``mask_selection_length``. [CLS], [SEP], [PAD]
    and [MASK] are not hidden.

    Args:
        tokenizer, sequence_length, truncate, name, unknown: see `Preprocessor`.
        mask_selection_rate, mask_selection_length, mask_token_rate, random_token_rate: see
            `MaskRates`.
        seed: makes the drawing repeat: the same inputs in the same order, in whatever batches, have
            the same tokens hidden. It is not saved.

    Source: keras_hub/src/models/bert/bert_masked_lm_preprocessor.py.
    """

    module: ClassVar = "bert_masked_lm_preprocessor"
    class_names: ClassVar = ("BertMaskedLMPreprocessor",)

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 512,
        truncate: str = "round_robin",
        mask_selection_rate: float = 0.15,
        mask_selection_length: int = 96,
        mask_token_rate: float = 0.8,
        random_token_rate: float = 0.1,
        *,
        seed: int | None = None,
        name: str = "bert_masked_lm_preprocessor",
        **unknown: object,
    ) -> None:
        self.rates = MaskRates(
            mask_selection_rate, mask_selection_length, mask_token_rate, random_token_rate
        )
        super().__init__(tokenizer, sequence_length, truncate, name=name, **unknown)
        self._masking = Masking(
            self.rates,
            vocabulary_size=tokenizer.vocabulary_size(),
            mask_token_id=tokenizer.mask_token_id,
            never=tokenizer.special_token_ids,
            seed=seed,
        )

    def __call__(self, x: object, y: object = None, sample_weight: object = None) -> Any:
        """``(x, y, sample_weight)``; see the class.

        Args:
            x: see `Preprocessor`.
            y, sample_weight: None, as they are made here.

        Raises:
            InputTypeError, InputError, ConfigError: as for `Preprocessor`; or there are labels.
        """
        if y is not None or sample_weight is not None:
            raise InputError(
                "the labels are the tokens that are hidden here; there can be no others.",
                fix="leave out y= and sample_weight=",
            )
        arrays, batched = self._inputs(x)
        masked = self._masking(arrays["token_ids"])
        arrays |= {"token_ids": masked.token_ids, "mask_positions": masked.positions}
        inputs = self._one_or_all(arrays, batched)
        if batched:
            return inputs, masked.ids, masked.weights
        return inputs, masked.ids[0], masked.weights[0]

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | dataclasses.asdict(self.rates)
