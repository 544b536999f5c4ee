"""What the tasks share: a backbone with a head on it, texts in, files out.

Source: keras_hub/src/models/task.py, ``Task``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.backbone import BertBackbone, check_seed
from npbert.caller import warn_caller
from npbert.dtype_policy import numpy_dtype
from npbert.engine import forward
from npbert.engine.packed import random_weights
from npbert.errors import ConfigError, InputTypeError
from npbert.ops.types import Array
from npbert.presets.registry import BuiltInPresets
from npbert.presets.savable import saved_dtype
from npbert.presets.save import keras_object, save_preset
from npbert.progress import progress
from npbert.simd.kernel import Kernel, PlainKernel
from npbert.tasks.batching import TOKENS_AT_ONCE, batches
from npbert.tasks.keywords import known_keywords
from npbert.tasks.readers import TextReader
from npbert.tasks.task_files import check_head_lossy, task_files
from npbert.text.checks import Text, parts_of
from npbert.text.preprocessor import Preprocessor
from npbert.text.tokenizer import Encoded, check_vocabulary
from npbert.weights.checks import collect_given
from npbert.weights.names import Tensor

Ids = NDArray[np.int32]

Reader = Preprocessor | TextReader
"""What makes token ids of texts: Keras Hub's class, or a Hugging Face directory's tokenizer."""


class Task:
    """The base of Keras Hub's tasks; it has no head itself.

    Attributes:
        backbone: the `BertBackbone`.
        preprocessor: what makes token ids of texts; None where only token ids are taken.
        name: what ``get_config`` calls it.
        presets: the built-in presets, as Keras Hub lays them out.
    """

    presets = BuiltInPresets()
    _CLASS: ClassVar[str]
    """Keras Hub's name for the class."""
    _MODULE: ClassVar[str]
    """Keras Hub's module of it, which is also what it is called."""
    _GROUPS: ClassVar[Mapping[str, str]]
    """In task.weights.h5, the layers without weights."""
    _PREPROCESSOR: ClassVar[type[Preprocessor]]
    """Keras Hub's class of it."""

    def __init__(
        self,
        backbone: BertBackbone,
        preprocessor: Reader | None,
        name: str | None,
        seed: int | None,
    ) -> None:
        if not isinstance(backbone, BertBackbone):
            raise InputTypeError(
                f"{self._CLASS} takes a BertBackbone.",
                received=type(backbone).__name__,
                fix=f"{self._CLASS}.from_preset(...) loads one with its head",
            )
        if name is not None and not isinstance(name, str):
            raise ConfigError("name must be a str.", received=repr(name))
        _check_preprocessor(preprocessor, self._PREPROCESSOR, backbone)
        self.backbone, self.preprocessor = backbone, preprocessor
        self.name = name or self._MODULE
        self._tensors = self._head_tensors()
        check_seed(seed)
        drawn = random_weights(self._shapes(), seed)
        dtype = numpy_dtype(backbone.variable_dtype)
        self._take_head({name: each.astype(dtype, copy=False) for name, each in drawn.items()})

    # -- to be filled in by a task ---------------------------------------------------------------

    def _head_tensors(self) -> list[Tensor]:
        """The tensors of the head, in Keras's order."""
        raise NotImplementedError

    def _take_head(self, weights: dict[str, Array]) -> None:
        """Let these tensors, checked and of the backbone's variable dtype, be the head's."""
        self._weights = weights

    def _kernels(self) -> tuple[Kernel | PlainKernel, ...]:
        """The kernels of the head, of which those of the backbone's precision are called."""
        raise NotImplementedError

    def _own_config(self) -> dict[str, Any]:
        """What ``get_config`` says of the head, with Keras Hub's keys."""
        raise NotImplementedError

    def _ours(self) -> dict[str, Any]:
        """What Keras Hub fixes and this head has otherwise."""
        return {}

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {tensor.name: tensor.shape for tensor in self._tensors}

    # -- running ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Compile or load the kernels now rather than in the first call."""
        precision = self.backbone.precision
        head = (kernel[precision] for kernel in self._kernels())
        forward.prepare((*forward.kernels(precision), *head))
        self.backbone.prepare()

    def _encode(self, texts: Sequence[Text], reader: Reader) -> Encoded:
        """Token ids of texts and pairs, never padded; a warning where some lost tokens."""
        if isinstance(reader, TextReader):
            limit, encoded = reader.sequence_length, reader.encode(texts)
        else:
            limit = min(reader.sequence_length, self.backbone.config.max_sequence_length)
            encoded = encode_with(reader, texts, limit)
        if encoded.truncated:
            warn_caller(
                f"cut {encoded.truncated:,} of {len(texts):,} texts after {limit} tokens; the"
                f" longest has {encoded.full_lengths.max():,}"
            )
        return encoded

    def _reader(self) -> Reader:
        if self.preprocessor is None:
            raise ConfigError(
                "the task has no preprocessor, so texts cannot become token ids.",
                where=self.backbone.path,
                expected="a preprocessor, or inputs that are token ids already",
                fix=f"{self._CLASS}.from_preset(...) of a model with its tokenizer, or call the"
                " task with a dictionary of token_ids, segment_ids and padding_mask",
            )
        return self.preprocessor

    def _steps(
        self, encoded: Encoded, title: str, batch_size: int, show: bool | None
    ) -> Iterator[tuple[NDArray[np.intp], Array, NDArray[np.int64]]]:
        """(numbers of texts, their rows, where each begins), until all texts are computed."""
        if encoded.ids:
            self.prepare()
        with progress(title, len(encoded.ids), show) as advance:
            for batch in batches(encoded.lengths, batch_size, TOKENS_AT_ONCE):
                ids = [encoded.ids[i] for i in batch]
                segment_ids = [encoded.segment_ids[i] for i in batch]
                yield batch, *self.backbone.encode_ragged(ids, segment_ids, self._kept(ids))
                advance(len(batch))

    def _in_parts(
        self, B: int, run: Callable[[slice], Array], title: str, batch_size: int, show: bool | None
    ) -> Array:
        """``run`` over the rows of a batch, ``batch_size`` at a time; for none, over none."""
        parts: list[Array] = []
        with progress(title, B, show) as advance:
            for start in range(0, max(B, 1), batch_size):
                parts.append(run(slice(start, start + batch_size)))
                advance(len(parts[-1]))
        return np.concatenate(parts)

    def _kept(self, ids: list[Ids]) -> list[NDArray[np.bool_]] | None:
        """Keras Hub masks a [PAD] inside a text too; None where there is none."""
        if not isinstance(self.preprocessor, Preprocessor):
            return None
        kept = [each != self.preprocessor.tokenizer.pad_token_id for each in ids]
        return None if all(each.all() for each in kept) else kept

    def _widened(self, output: Array) -> Array:
        """An output as kernels take it: no number changes."""
        return output.astype(self.backbone.precision.real, copy=False)

    def _returned(self, numbers: Array) -> Array:
        """What the head computed, in the dtype that outputs come in."""
        return numbers.astype(numpy_dtype(self.backbone.compute_dtype), copy=False)

    # -- weights and config ----------------------------------------------------------------------

    def weights(self) -> Iterator[tuple[str, Array]]:
        """(Keras Hub's variable path, a copy of the tensor): the backbone's, then the head's."""
        yield from self.backbone.weights()
        for name, array in self._weights.items():
            yield name, array.copy()

    def set_head_weights(self, weights: Mapping[str, ArrayLike]) -> None:
        """Give the head these tensors, all of them or none.

        Args:
            weights: Keras Hub's variable paths -> arrays, copied in the backbone's variable dtype.

        Raises:
            WeightError: a tensor is missing, extra, not finite, too large for the dtype, or of
                another shape.
        """
        self._take_head(collect_given(self._shapes(), weights, self.backbone.variable_dtype))

    def count_params(self) -> int:
        """How many numbers the weights are, the head's included."""
        return self.backbone.count_params() + sum(w.size for w in self._weights.values())

    def get_config(self) -> dict[str, Any]:
        """Keras Hub's keys in its order; ours only where they differ from what Keras fixes."""
        return self._config(self.backbone.variable_dtype) | self._ours()

    def _config(self, dtype: str) -> dict[str, Any]:
        return {
            "backbone": keras_object(self.backbone._to_save(), dtype),
            "preprocessor": _keras_preprocessor(self.preprocessor),
            "name": self.name,
            **self._own_config(),
        }

    # -- saving ----------------------------------------------------------------------------------

    @known_keywords()
    def save_to_preset(
        self,
        preset_dir: str | os.PathLike[str],
        max_shard_size: float | None = 10,
        *,
        dtype: str | None = None,
        allow_lossy: bool = False,
    ) -> None:
        """Write a directory that ``from_preset`` loads, Keras Hub's too.

        Backbone, head and, where there is one of Keras Hub's kind, the preprocessor. All files are
        written before the first takes its name. The format has no place for a classifier's labels.

        Args:
            preset_dir: made if there is none. Other files in it stay.
            max_shard_size, dtype, allow_lossy: as in `BertBackbone.save_to_preset`.

        Raises:
            ConfigError: the format cannot hold the model, or the files could not be written.
            WeightError: a value is too large for ``dtype``.
        """
        model = self.backbone._to_save()
        dtype = saved_dtype(model, dtype)
        check_head_lossy(self._ours(), Path(preset_dir), allow_lossy)
        described = self._MODULE, self._CLASS, self._config(dtype)
        groups = {"": self.name, **self._GROUPS}
        assets = task_files(*described, self._weights, self._tensors, groups, dtype=dtype)
        if isinstance(self.preprocessor, Preprocessor):
            assets |= self.preprocessor.preset_files()
        save_preset(
            Path(preset_dir),
            model,
            dtype=dtype,
            max_shard_size=max_shard_size,
            allow_lossy=allow_lossy,
            assets=assets,
        )
        if isinstance(self.preprocessor, TextReader):
            warn_caller(
                "the tokenizer is Hugging Face's, for which Keras's format has no place: what loads"
                " the files takes token ids"
            )


def encode_with(preprocessor: Preprocessor, texts: Sequence[Text], limit: int) -> Encoded:
    """Texts and pairs as Keras Hub's preprocessor packs them, without what it fills up."""
    tokenizer, truncate = preprocessor.tokenizer, preprocessor.truncate
    packed = [tokenizer.pack(parts_of(text), limit, truncate) for text in texts]
    return Encoded(
        [np.array(each.ids, np.int32) for each in packed],
        [np.array(each.segment_ids, np.int32) for each in packed],
        np.array([each.full_length for each in packed], np.int64),
    )


def _keras_preprocessor(preprocessor: Reader | None) -> dict[str, Any] | None:
    return preprocessor.keras_object() if isinstance(preprocessor, Preprocessor) else None


def _check_preprocessor(
    preprocessor: object, kind: type[Preprocessor], backbone: BertBackbone
) -> None:
    if preprocessor is None:
        return
    if not isinstance(preprocessor, kind | TextReader):
        raise InputTypeError(
            "the preprocessor is of another kind than the task needs.",
            received=type(preprocessor).__name__,
            expected=f"None or a {kind.__name__}",
        )
    check_vocabulary(preprocessor.tokenizer, backbone.config, backbone.path)
