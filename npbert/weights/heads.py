"""The tensors of a task's head: their table, as `names` is that of the backbone, and reading them.

Source: ``BertTextClassifier.weights`` and ``BertMaskedLM.weights`` and the ``task.weights.h5`` that
Keras Hub 0.32 writes; transformers BertForSequenceClassification and BertLMPredictionHead.
"""
# ruff: noqa: E501 -- the table is read across: one tensor, three names for it.

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from npbert.config import BertConfig
from npbert.errors import WeightError
from npbert.weights import keras_h5
from npbert.weights.checks import Place, collect, unique_keys
from npbert.weights.h5_safety import check_float, safe_datasets
from npbert.weights.hugging_face import Stored, open_stored, table_name
from npbert.weights.keras_archive import open_weights
from npbert.weights.names import Array, Tensor
from npbert.weights.safetensors_file import read_tensor

_H5: Final = "/layers/masked_lm_head"
_HF: Final = "cls.predictions"
_MASKED_LM: Final = (
    ("mlm_head/output_bias",                   ("V",),     f"{_H5}/vars/0",                            f"{_HF}.bias"),
    ("mlm_head/intermediate_dense/kernel",     ("D", "D"), f"{_H5}/_intermediate_dense/vars/0",        f"{_HF}.transform.dense.weight"),
    ("mlm_head/intermediate_dense/bias",       ("D",),     f"{_H5}/_intermediate_dense/vars/1",        f"{_HF}.transform.dense.bias"),
    ("mlm_head/intermediate_layer_norm/gamma", ("D",),     f"{_H5}/_intermediate_layer_norm/vars/0",   f"{_HF}.transform.LayerNorm.weight"),
    ("mlm_head/intermediate_layer_norm/beta",  ("D",),     f"{_H5}/_intermediate_layer_norm/vars/1",   f"{_HF}.transform.LayerNorm.bias"),
)  # fmt: skip
_CLASSIFIER: Final = (
    ("logits/kernel",                          ("D", "C"), "/layers/dense/vars/0",                     "classifier.weight"),
    ("logits/bias",                            ("C",),     "/layers/dense/vars/1",                     "classifier.bias"),
)  # fmt: skip

# What BERT was pretrained with beside masked tokens: the next sentence.
_OTHER_HEAD: Final = "cls.seq_relationship."
_DECODER: Final = "cls.predictions.decoder"
OUTPUT_TABLE: Final = "mlm_head/output_embedding"
"""The name of a table that is the head's own; Keras Hub has none."""


class HasEmbeddings(Protocol):
    """A token table, as `npbert.ops.token_embedding.TokenEmbedding` is."""

    @property
    def embeddings(self) -> Array:
        """A copy of it, (V, D)."""
        ...


def classifier_tensors(config: BertConfig, num_classes: int) -> list[Tensor]:
    """The two tensors of a classifier's head, in Keras's order."""
    return _tensors(_CLASSIFIER, {"D": config.hidden_dim, "C": num_classes})


def masked_lm_tensors(config: BertConfig) -> list[Tensor]:
    """The five tensors of a masked LM's head, in Keras's order; its table is the backbone's."""
    return _tensors(_MASKED_LM, {"D": config.hidden_dim, "V": config.vocabulary_size})


def _tensors(
    table: Sequence[tuple[str, tuple[str, ...], str, str]], sizes: dict[str, int]
) -> list[Tensor]:
    made: list[Tensor] = []
    for name, axes, h5, hugging_face in table:
        shape = tuple(sizes[axis] for axis in axes)
        made.append(Tensor(name, shape, h5, hugging_face, shape[::-1]))
    return made


# -- Keras -----------------------------------------------------------------------------------------


def load_keras(
    path: Path, wanted: Sequence[Tensor], config: BertConfig, dtype: str = "float32"
) -> dict[str, Array]:
    """A head out of ``task.weights.h5``, or out of the ``.keras`` archive of a task.

    Args:
        path: the file.
        wanted: the head's tensors.
        config: the backbone's, which bounds what the file may hold.
        dtype: of the arrays; see `npbert.weights.dtypes`.

    Raises:
        ModelFileError, UnsafeModelError, ResourceLimitError, UnsupportedModelError, WeightError: as
            `npbert.weights.keras_h5.load`.
    """
    h5py: Any = importlib.import_module("h5py")
    with keras_h5.LOCK, ExitStack() as files:
        found = _datasets(h5py, files, path, config)
        own = [key for key in found if not key.startswith("/layers/bert_backbone/")]
        datasets = {key: keras_h5.Stored(path, key, found[key]) for key in own}
        stored = keras_h5.by_table_key(datasets, [(key, key) for key in own], path)
        for each in stored.values():
            check_float(each.dataset, each.where)
        return collect(
            [Place(tensor.name, tensor.h5, tensor.shape) for tensor in wanted],
            stored,
            shape_of=lambda each: tuple(each.dataset.shape),
            read=lambda place, each: keras_h5.read_floats(h5py, each),
            where=path,
            dtype=dtype,
        )


def _datasets(h5py: Any, files: ExitStack, path: Path, config: BertConfig) -> dict[str, Any]:
    if path.suffix == ".keras":
        files.enter_context(keras_h5.errors_of(path))
        file = files.enter_context(open_weights(path, config))
        return safe_datasets(h5py, file, path, keras_h5.most_nodes(config))
    _, found = files.enter_context(keras_h5.open_datasets(h5py, path, config))
    return found


# -- Hugging Face ----------------------------------------------------------------------------------


def has_hugging_face(path: Path, wanted: Sequence[Tensor]) -> bool:
    """Whether ``path`` has any tensor of this head.

    Args and errors are those of `load_hugging_face`.
    """
    with ExitStack() as files:
        return bool(_of_the_head(open_stored(files, path), wanted, path))


def load_hugging_face(
    path: Path, wanted: Sequence[Tensor], dtype: str = "float32"
) -> dict[str, Array]:
    """A head out of ``model.safetensors``, in Keras's layout.

    Args:
        path: a safetensors file, or the index of several.
        wanted: the head's tensors.
        dtype: as in `load_keras`.

    Raises:
        ModelFileError, UnsafeModelError, UnsupportedModelError, WeightError: as
            `npbert.weights.hugging_face.load`.
    """
    with ExitStack() as files:
        stored = _of_the_head(open_stored(files, path), wanted, path)
        return _collect(stored, wanted, path, dtype)


def load_hugging_face_masked_lm(
    path: Path,
    wanted: Sequence[Tensor],
    table: HasEmbeddings,
    *,
    tied: bool,
    dtype: str = "float32",
) -> dict[str, Array]:
    """A masked LM's head; with `OUTPUT_TABLE` where its table is not the backbone's.

    The file may have the table and the output's bias once more, as the decoder's. If the config
    says that these are the head's own, they count; if not, they must be the same numbers, for
    releases of transformers disagree on which of two different ones they take.

    Args:
        path, wanted: as in `load_hugging_face`.
        table: the backbone's; it is looked at only where the file has one more.
        tied: the config's ``tie_word_embeddings``.
        dtype: as in `load_keras`.

    Raises:
        WeightError: see above; or as `load_hugging_face`, and the other errors too.
    """
    bias = wanted[0].hugging_face
    with ExitStack() as files:
        stored = _of_the_head(open_stored(files, path), wanted, path)
        own_table, own_bias = (stored.pop(f"{_DECODER}.{n}", None) for n in ("weight", "bias"))
        if own_bias is not None and (bias not in stored or not tied):
            stored[bias] = own_bias
        head = _collect(stored, wanted, path, dtype)
        if own_bias is not None:
            name, expected = f"{_DECODER}.bias", head[wanted[0].name]
            own = _read_again(name, own_bias, expected.shape, path, dtype)
            _check_same(name, own, bias, expected, path)
        if own_table is not None:
            name, expected = f"{_DECODER}.weight", table.embeddings
            own = _read_again(name, own_table, expected.shape, path, dtype)
            if tied:
                _check_same(name, own, "the token embedding", expected, path)
            elif not np.array_equal(own, expected):
                return head | {OUTPUT_TABLE: own}
        elif not tied:
            raise WeightError(
                "the output's table is missing.",
                where=path,
                expected=f"{_DECODER}.weight, for config.json says tie_word_embeddings: false",
                fix="check that the weights and config.json belong together",
            )
        return head


def _check_same(name: str, own: Array, other: str, expected: Array, path: Path) -> None:
    if np.array_equal(own, expected):
        return
    raise WeightError(
        f"{name!r} has other numbers than {other}, which it should be.",
        where=path,
        received="two different tensors, and a config that says they are one",
        expected="one of them, or the same numbers in both",
        fix='if the model is meant to have both, write "tie_word_embeddings": false in config.json',
    )


def _of_the_head(
    stored: Mapping[str, Stored], wanted: Sequence[Tensor], path: Path
) -> dict[str, Stored]:
    """The head's tensors by the table's names, and whatever else has a name like theirs."""
    beginning = wanted[0].hugging_face.partition(".")[0] + "."  # "classifier." or "cls."
    names = [n for n in stored if n.startswith(beginning) and not n.startswith(_OTHER_HEAD)]
    keys = unique_keys([(table_name(name), name) for name in names], path)
    return {key: stored[name] for key, name in keys.items()}


def _collect(
    stored: Mapping[str, Stored], wanted: Sequence[Tensor], path: Path, dtype: str
) -> dict[str, Array]:
    tensors = {tensor.hugging_face: tensor for tensor in wanted}

    def read(place: Place, each: Stored) -> Array:
        array = read_tensor(each.file, each.entry, place.key, each.path)
        return tensors[place.key].from_hugging_face(array)

    places = [Place(t.name, key, t.hugging_face_shape) for key, t in tensors.items()]
    return collect(places, stored, shape_of=_shape, read=read, where=path, dtype=dtype)


def _read_again(name: str, each: Stored, shape: tuple[int, ...], path: Path, dtype: str) -> Array:
    """A tensor that is there under two names."""

    def read(place: Place, each: Stored) -> Array:
        return read_tensor(each.file, each.entry, place.key, each.path)

    place, stored = Place(name, name, shape), {name: each}
    return collect([place], stored, shape_of=_shape, read=read, where=path, dtype=dtype)[name]


def _shape(stored: Stored) -> tuple[int, ...]:
    return stored.entry.shape
