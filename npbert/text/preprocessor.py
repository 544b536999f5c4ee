"""What Keras Hub's preprocessors for BERT have in common: texts or pairs to inputs of one length.

Source: keras_hub/src/models/preprocessor.py, ``Preprocessor``; text_classifier_preprocessor.py
beside it, ``TextClassifierPreprocessor``.
"""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from npbert.config import check_int, unknown_name
from npbert.errors import ConfigError, InputError
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.keras_files import (
    PREPROCESSOR,
    VOCABULARY,
    inside,
    json_bytes,
    policy,
    read_preprocessor,
)
from npbert.text.keras_inputs import samples_of
from npbert.text.keras_object import KerasObject
from npbert.text.packing import ALGORITHMS
from npbert.text.tokenizer_settings import MAX_LENGTH

Inputs = dict[str, NDArray[Any]]


class Preprocessor(KerasObject):
    """Texts, or pairs of them, to ``token_ids``, ``padding_mask`` and ``segment_ids``.

    A call takes

    - a str: the arrays have one dimension, (T,);
    - a list of str: (B, T);
    - a tuple of str: the segments of one input, such as a pair, (T,);
    - a tuple of lists: the first segments, the second segments, and so on, (B, T);
    - a list of tuples of str: (B, T).

    A tuple is always segments. Keras Hub takes ``preprocessor((a, b))`` for an input and its label;
    here labels are ``y`` and nothing else.

    It returns a dictionary of ``token_ids`` (int32), ``padding_mask`` (bool, True where the token
    is not [PAD]) and ``segment_ids`` (int32: i for segment i and the [SEP] after it; 0 for what is
    filled up), T = ``sequence_length``.

    Args:
        tokenizer: splits texts, and neither cuts nor fills up by itself.
        sequence_length: T; it can be set later.
        truncate: what too long an input keeps: ``"round_robin"`` one token of each segment in turn,
            ``"waterfall"`` as much as fits of the first, then of the next.
        name: what it is called in a config.
        unknown: nothing else, so that a wrong name is an error that lists the right ones.

    Raises:
        ConfigError: a setting is wrong, or has no such name.
    """

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int,
        truncate: str,
        *,
        name: str,
        **unknown: object,
    ) -> None:
        _check_tokenizer(tokenizer)
        _check_truncate(truncate)
        self.tokenizer, self.truncate, self.name = tokenizer, truncate, name
        self.sequence_length = sequence_length
        for wrong in unknown:
            valid = ["tokenizer", *self._settings(), "name"]
            raise unknown_name("argument", wrong, valid, where=f"{type(self).__name__}(...)")

    @property
    def sequence_length(self) -> int:
        """T, the tokens of every input."""
        return self._sequence_length

    @sequence_length.setter
    def sequence_length(self, value: int) -> None:
        check_int("sequence_length", value, 3, MAX_LENGTH)
        self._sequence_length = value

    def __call__(self, x: object, y: object = None, sample_weight: object = None) -> Any:
        """The inputs; with ``y`` a tuple of them and ``y``, with ``sample_weight`` of all three.

        Args:
            x: see the class.
            y, sample_weight: handed on as they are.

        Raises:
            InputTypeError: ``x`` is no text, nor made of texts.
            InputError: a text is not valid Unicode, or far too long; or weights without labels.
            ConfigError: ``sequence_length`` has no room for so many segments.
        """
        inputs = self._one_or_all(*self._inputs(x))
        if y is None and sample_weight is not None:
            raise InputError(
                "sample_weight comes without y.",
                fix="pass y= too; Keras Hub would drop the weights",
            )
        if y is None:
            return inputs
        return (inputs, y) if sample_weight is None else (inputs, y, sample_weight)

    def _inputs(self, x: object) -> tuple[Inputs, bool]:
        """The arrays, (B, T), and whether ``x`` is a batch."""
        samples, batched = samples_of(x)
        shape = (len(samples), self.sequence_length)
        token_ids = np.full(shape, self.tokenizer.pad_token_id, np.int32)
        segment_ids = np.zeros(shape, np.int32)
        for i, segments in enumerate(samples):
            self._check_room(len(segments))
            packed = self.tokenizer.pack(segments, self.sequence_length, self.truncate)
            token_ids[i, : len(packed.ids)] = packed.ids
            segment_ids[i, : len(packed.ids)] = packed.segment_ids
        mask = token_ids != self.tokenizer.pad_token_id
        arrays = {"token_ids": token_ids, "padding_mask": mask, "segment_ids": segment_ids}
        return arrays, batched

    def _check_room(self, segments: int) -> None:
        least = segments + 2
        if self.sequence_length < least:
            raise ConfigError(
                "sequence_length has no room for a word beside the special tokens.",
                received=f"{self.sequence_length} for {segments} segments",
                expected=f"{least} or more",
            )

    @staticmethod
    def _one_or_all(arrays: Inputs, batched: bool) -> Inputs:
        """The arrays as a call returns them."""
        return arrays if batched else {name: array[0] for name, array in arrays.items()}

    # -- files -----------------------------------------------------------------------------------

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], **settings: Any) -> Self:
        """The preprocessor of a Keras preset: a directory, a name or a handle.

        Its settings are those of preprocessor.json if that is of this class, or else the defaults.

        Args:
            preset: as for `BertTokenizer.from_preset`.
            settings: replace those of the preset; ``tokenizer`` too.

        Raises:
            ModelFileError, UnsupportedModelError, UnsafeModelError, ConfigError: as for
                `BertTokenizer.from_preset`.
        """
        from npbert.presets.load import preset_directory

        directory = preset_directory(preset)
        saved, of_tokenizer = read_preprocessor(directory, cls.class_names)
        if "tokenizer" not in settings:
            tokenizer = BertTokenizer(inside(directory, VOCABULARY), **of_tokenizer)
            settings = {"tokenizer": tokenizer, **settings}
        return cls(**{**saved, **settings})

    def get_config(self) -> dict[str, Any]:
        """Keras Hub's keys, in its order."""
        return {
            "name": self.name,
            "trainable": True,
            "dtype": policy("float32"),
            "tokenizer": self.tokenizer.keras_object(),
            "config_file": PREPROCESSOR,
            **self._settings(),
        }

    def preset_files(self) -> dict[str, bytes]:
        """preprocessor.json and the tokenizer's; see `KerasObject.preset_files`."""
        return self.tokenizer.preset_files() | {PREPROCESSOR: json_bytes(self.keras_object())}

    def _settings(self) -> dict[str, Any]:
        """The settings that are saved, by name."""
        return {"sequence_length": self.sequence_length, "truncate": self.truncate}


def _check_tokenizer(tokenizer: object) -> None:
    if not isinstance(tokenizer, BertTokenizer):
        raise ConfigError(
            "the tokenizer must be a BertTokenizer.",
            received=type(tokenizer).__name__,
            fix="BertTokenizer.from_preset(...), or Embedder and the tasks for Hugging Face's",
        )
    settings = tokenizer.settings
    if not settings.split or settings.sequence_length is not None or settings.dtype == "string":
        raise ConfigError(
            "the tokenizer does not leave it to the preprocessor to put texts together.",
            received=f"split={settings.split}, sequence_length={settings.sequence_length},"
            f" dtype={settings.dtype!r}",
            expected="split=True, sequence_length=None, dtype='int32'",
            fix="set sequence_length of the preprocessor",
        )


def _check_truncate(truncate: object) -> None:
    if truncate not in ALGORITHMS:
        raise ConfigError(
            "truncate is not a way to cut segments.",
            received=repr(truncate),
            expected=" or ".join(map(repr, ALGORITHMS)),
        )
