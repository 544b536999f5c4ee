"""`BertMaskedLM`: which token stands where one was hidden.

Source: keras_hub/src/models/bert/bert_masked_lm.py; for ``fill_mask``,
transformers FillMaskPipeline.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.backbone import BertBackbone
from npbert.config import ACTIVATIONS, check_number, unknown_name
from npbert.engine.inputs import NAMES, Inputs
from npbert.errors import ConfigError
from npbert.ops.heads import MaskedLMHead
from npbert.ops.softmax import softmax_kernel
from npbert.ops.token_embedding import TokenEmbedding
from npbert.ops.types import Array
from npbert.simd.kernel import Kernel, PlainKernel
from npbert.tasks.batching import check_count
from npbert.tasks.filling import (
    best_tokens,
    check_top_k,
    fillings,
    mask_places,
    reader_of_masks,
)
from npbert.tasks.keywords import known_keywords
from npbert.tasks.loading import SAVED, open_preset, reader
from npbert.tasks.masked_inputs import check_masked_inputs
from npbert.tasks.saved_masked_lm import EPSILON, saved_masked_lm
from npbert.tasks.task import Reader, Task
from npbert.tasks.texts import texts_of
from npbert.text.preprocessors import BertMaskedLMPreprocessor
from npbert.weights.heads import OUTPUT_TABLE, masked_lm_tensors
from npbert.weights.names import Tensor

_TITLE = "Filling masks"


class BertMaskedLM(Task):
    """A BERT that gives every token of the vocabulary a score at the places asked for.

    Args:
        backbone: a `BertBackbone`, whose token table is the output's too. The head is random until
            weights are loaded; no preset of Keras Hub's brings it.
        preprocessor: makes token ids of texts; None takes token ids only.
        intermediate_activation: of the head's dense layer: ``"gelu"`` (erf), also where the
            backbone has the tanh form, or ``"gelu_approximate"``.
        layer_norm_epsilon: of the head's layer norm; Keras Hub's differs from the backbone's.
        seed: of the random head.
        name: what ``get_config`` calls it.

    Raises:
        ConfigError: an argument is out of range.

    Example:
        >>> masked_lm = BertMaskedLM.from_preset("hf://google-bert/bert-base-uncased")
        >>> masked_lm.fill_mask("Paris is the [MASK] of France.")[0]["token_str"]
        'capital'
    """

    _CLASS: ClassVar = "BertMaskedLM"
    _MODULE: ClassVar = "bert_masked_lm"
    _GROUPS: ClassVar = {"/layers/input_layer_3": "mask_positions"}
    _PREPROCESSOR: ClassVar = BertMaskedLMPreprocessor

    @known_keywords()
    def __init__(
        self,
        backbone: BertBackbone,
        preprocessor: Reader | None = None,
        *,
        intermediate_activation: str = "gelu",
        layer_norm_epsilon: float = EPSILON,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        if intermediate_activation not in ACTIVATIONS:
            raise unknown_name(
                "intermediate_activation", str(intermediate_activation), [*ACTIVATIONS]
            )
        self.intermediate_activation = intermediate_activation
        check_number("layer_norm_epsilon", layer_norm_epsilon, 1e-38, 1)
        self.layer_norm_epsilon = float(layer_norm_epsilon)
        super().__init__(backbone, preprocessor, name, seed)

    @classmethod
    @known_keywords()
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        load_weights: bool = True,
        *,
        preprocessor: Reader | Literal["saved"] | None = SAVED,
        max_seq_length: int | None = None,
        trust: bool = True,
        num_threads: int | None = None,
        dtype: object = None,
        name: str | None = None,
    ) -> Self:
        """A masked LM with its head.

        Args:
            preset: as for `BertBackbone.from_preset`: of Keras Hub, with ``task.json`` and
                ``task.weights.h5``, or a ``.keras`` archive; or of Hugging Face, as
                ``BertForMaskedLM`` and ``BertForPreTraining`` save it.
            load_weights: False gives a backbone and a head with random weights.
            preprocessor: replaces the model's own; None takes token ids only.
            max_seq_length: replaces the model's limit on tokens.
            trust, num_threads, dtype: as in `BertBackbone`.
            name: what ``get_config`` calls the task.

        Raises:
            ConfigError: the preset has no head, as none of Keras Hub's has (there, it is random).
            ModelFileError, WeightError, UnsupportedModelError, UnsafeModelError: the message says
                what is wrong, where, and what to do. Nothing is half-loaded.
        """
        source, backbone = open_preset(
            preset, load_weights=load_weights, trust=trust, num_threads=num_threads, dtype=dtype
        )
        found = saved_masked_lm(source, backbone)
        read = reader(source, backbone, preprocessor, cls._PREPROCESSOR, found.task, max_seq_length)
        made = cls(backbone, read, **(found.settings | ({} if name is None else {"name": name})))
        if found.weights is not None:
            made._take_head(found.weights)
        return made

    def _head_tensors(self) -> list[Tensor]:
        return masked_lm_tensors(self.backbone.config)

    def _take_head(self, weights: dict[str, Array]) -> None:
        super()._take_head(weights)
        dense, norm = "mlm_head/intermediate_dense", "mlm_head/intermediate_layer_norm"
        precision = self.backbone.precision
        self._head = MaskedLMHead(
            weights[f"{dense}/kernel"],
            weights[f"{dense}/bias"],
            weights[f"{norm}/gamma"],
            weights[f"{norm}/beta"],
            weights["mlm_head/output_bias"],
            activation=self.intermediate_activation,
            epsilon=self.layer_norm_epsilon,
            precision=precision,
        )
        own = weights.get(OUTPUT_TABLE)
        self._own_table = None if own is None else TokenEmbedding.of(own, precision)

    def _kernels(self) -> tuple[Kernel | PlainKernel, ...]:
        return (*MaskedLMHead.kernels, *TokenEmbedding.kernels, softmax_kernel.plain)

    def _own_config(self) -> dict[str, Any]:
        return {}

    def _ours(self) -> dict[str, Any]:
        ours: dict[str, Any] = {}
        if self.intermediate_activation != "gelu":
            ours["intermediate_activation"] = self.intermediate_activation
        if self.layer_norm_epsilon != EPSILON:
            ours["layer_norm_epsilon"] = self.layer_norm_epsilon
        return ours

    def save_to_preset(
        self, preset_dir: str | os.PathLike[str], max_shard_size: float | None = 10, **options: Any
    ) -> None:
        """As `Task.save_to_preset`.

        Raises:
            ConfigError: besides, the head has a table of its own, for which there is no place.
        """
        if self._own_table is not None:
            raise ConfigError(
                "Keras's format has no place for a table of the head's own.",
                where=preset_dir,
                expected="a masked LM whose output table is its token embedding",
            )
        super().save_to_preset(preset_dir, max_shard_size, **options)

    # -- running ---------------------------------------------------------------------------------

    def __call__(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """Run on token ids.

        Args:
            inputs: as for a call of `BertBackbone`, three arrays (B, T), and ``mask_positions``
                (B, M): the columns asked for. Which token is there does not matter.

        Returns:
            (B, M, V), in the backbone's compute dtype: logits.

        Raises:
            InputError, InputTypeError: what is wrong with ``inputs``, and how to mend it.
        """
        return self._run(*check_masked_inputs(inputs, self.backbone.config))

    def _run(self, inputs: Inputs, positions: NDArray[np.intp]) -> Array:
        config, (B, M) = self.backbone.config, positions.shape
        asked_for = np.take_along_axis(inputs.kept, positions, axis=1)  # (B, M)
        named = dict(zip(NAMES, inputs, strict=True))
        sequence = self.backbone(named, skip_padding=bool(asked_for.all()))["sequence_output"]
        hidden = np.take_along_axis(sequence, positions[:, :, None], axis=1)  # (B, M, D)
        logits = self._logits(self._widened(hidden).reshape(B * M, config.hidden_dim))
        return self._returned(logits).reshape(B, M, config.vocabulary_size)

    def _logits(self, hidden: Array) -> Array:  # (M, D) -> (M, V)
        return self._head(hidden, self._own_table or self.backbone.token_embedding)

    @known_keywords()
    def predict(
        self, x: object, batch_size: int = 32, *, show_progress_bar: bool | None = None
    ) -> Array:
        """Run on many token ids; or on texts, whose tokens the preprocessor hides at random.

        Args:
            x: the dictionary that a call takes; or what a `BertMaskedLMPreprocessor` takes.
            batch_size: sequences in one step. The numbers do not depend on it.
            show_progress_bar: None shows one on a terminal, when the work takes over a second.

        Returns:
            (B, M, V), in the backbone's compute dtype: logits; (M, V) for a single text.

        Raises:
            InputError, InputTypeError: what is wrong with ``x``.
            ConfigError: texts, and no preprocessor that hides tokens; or a ``batch_size`` that is
                no positive int.
        """
        check_count("batch_size", batch_size)
        single = False
        if not isinstance(x, Mapping):
            x = self._hide(x)
            single = x["token_ids"].ndim == 1
            x = {name: array[None] for name, array in x.items()} if single else x
        inputs, positions = check_masked_inputs(x, self.backbone.config)

        def run(rows: slice) -> Array:
            return self._run(inputs.part(rows), positions[rows])

        out = self._in_parts(len(positions), run, _TITLE, batch_size, show_progress_bar)
        return out[0] if single else out

    def _hide(self, x: object) -> Mapping[str, Any]:
        preprocessor = self._reader()
        if isinstance(preprocessor, BertMaskedLMPreprocessor):
            inputs: Mapping[str, Any] = preprocessor(x)[0]
            return inputs
        raise ConfigError(
            "the model's tokenizer hides no tokens.",
            where=self.backbone.path,
            expected="a dictionary of token ids and mask_positions",
            fix="for texts with [MASK] in them, use fill_mask",
        )

    @known_keywords()
    def fill_mask(
        self,
        text: object,
        top_k: int = 5,
        batch_size: int = 32,
        *,
        show_progress_bar: bool | None = None,
    ) -> list[Any]:
        """The likeliest tokens for each [MASK] in a text.

        Args:
            text: a str with [MASK] in it, once or several times, or a list of them.
            top_k: how many tokens.
            batch_size, show_progress_bar: as in `predict`.

        Returns:
            For each token ``{"score", "token", "token_str", "sequence"}``, the best first: its
            probability, its id, itself, and the text with it. A list of these for a text with one
            [MASK]; for several a list of lists, each as if the others were still hidden. A list of
            that for a list of texts.

        Raises:
            InputError: a text has no [MASK], or only past the limit; the message has the index.
            InputTypeError: no str.
            ConfigError: no preprocessor, or a ``top_k`` past the vocabulary.
        """
        check_count("batch_size", batch_size)
        texts, single = texts_of(text)
        reader = reader_of_masks(self._reader())
        tokens = reader.tokenizer.vocabulary_size()
        count = check_top_k(top_k, tokens)
        encoded = self._encode(texts, reader)
        places = mask_places(encoded, reader.tokenizer)
        filled: list[Any] = [None] * len(texts)
        plain = self.backbone.precision.plain
        for batch, rows, starts in self._steps(encoded, _TITLE, batch_size, show_progress_bar):
            for i, start in zip(batch.tolist(), starts.tolist()):
                best = best_tokens(rows[start + places[i]], self._logits, tokens, count, plain)
                filled[i] = fillings(encoded.ids[i], places[i], best, reader.tokenizer)
        return filled[0] if single else filled
