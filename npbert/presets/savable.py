"""What there is to save, and what Keras's format cannot hold of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from npbert.caller import warn_caller
from npbert.config import KERAS_LAYER_NORM_EPSILON, BertConfig
from npbert.dtype_policy import FLOAT32, DTypePolicy
from npbert.errors import ConfigError, NpbertError
from npbert.weights.dtypes import check_saved_dtype
from npbert.weights.names import Array, weight_shapes
from npbert.weights.save_h5 import GIB
from npbert.weights.strict_json import read_object

_MAX_JSON_BYTES: Final = 1_000_000
_KERAS_ACTIVATION: Final = "gelu_approximate"


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """What there is to save.

    Args:
        config: the model's.
        weights: canonical names and arrays in the order of `weight_shapes`; read once.
        pooler: whether they include ``pooled_dense/*``.
        name: what the model is called.
        policy: what the model computes in.
    """

    config: BertConfig
    weights: Iterable[tuple[str, Array]]
    pooler: bool
    name: str = "bert_backbone"
    policy: DTypePolicy = FLOAT32

    def parameters(self) -> int:
        """How many numbers the weights are."""
        shapes = weight_shapes(self.config, pooler=self.pooler).values()
        return sum(math.prod(shape) for shape in shapes)


def saved_dtype(model: Model, dtype: object) -> str:
    """What the numbers in a file are: ``dtype``; of None, what the model keeps its weights in.

    Raises:
        ConfigError: models are not saved in it.
    """
    return model.policy.variable_dtype if dtype is None else check_saved_dtype(dtype)


def saved_policy(model: Model, dtype: str) -> str:
    """The policy that Keras's config names, where the numbers are written as ``dtype``."""
    own = dtype == model.policy.variable_dtype
    return model.policy.in_keras.name if own else dtype


def check_folder(folder: Path, key: str, kind: str) -> None:
    """Refuse to write over a directory's config.json that belongs to another library.

    Args:
        folder: may not exist.
        key: what the config.json of the right library has.
        kind: what the directory would become.

    Raises:
        ConfigError: the directory holds a model in another format.
    """
    path = folder / "config.json"
    if not path.is_file():
        return
    try:
        found = read_object(path, max_bytes=_MAX_JSON_BYTES, error=ConfigError)
    except NpbertError:
        return  # damaged: worth nothing to anyone
    if key not in found:
        raise ConfigError(
            "the directory holds a model in another format, which would become unreadable.",
            where=path,
            expected=f"{kind}, or a directory without config.json",
            fix="choose another directory",
        )


def check_lossy(model: Model, where: Path, allow_lossy: bool) -> dict[str, Any]:
    """What Keras's format cannot say of this model: its own value of each field.

    Args:
        model: what is to be saved.
        where: where to.
        allow_lossy: warn of it only.

    Raises:
        ConfigError: there is such a field, or the model has no pooler.
    """
    check_pooler(model, where)
    keras = {"activation": _KERAS_ACTIVATION, "layer_norm_epsilon": KERAS_LAYER_NORM_EPSILON}
    ours = {name: getattr(model.config, name) for name in keras}
    lossy = {name: value for name, value in ours.items() if value != keras[name]}
    said = ", ".join(f"{name} {value!r}" for name, value in lossy.items())
    if lossy and not allow_lossy:
        raise ConfigError(
            f"Keras's format cannot hold {said}.",
            where=where,
            received=said,
            expected=", ".join(f"{name} {keras[name]!r}" for name in lossy),
            fix="save in Hugging Face's format, or pass allow_lossy=True (--allow-lossy): what"
            " loads the files then computes other numbers",
        )
    if lossy:
        warn_caller(
            f"{where} does not say {said}: what loads it computes other numbers than this model"
        )
    return lossy


def check_pooler(model: Model, where: Path) -> None:
    """Refuse a model without ``pooled_dense``.

    Raises:
        ConfigError: as it says.
    """
    if not model.pooler:
        raise ConfigError(
            "the model has no pooler, and Keras's format needs one.",
            where=where,
            expected="pooled_dense/kernel and pooled_dense/bias",
            fix="save in Hugging Face's format, which can do without",
        )


def check_ending(path: Path, ending: str) -> None:
    """Refuse a file that Keras would not know by its name.

    Raises:
        ConfigError: as it says.
    """
    if not path.name.endswith(ending):
        raise ConfigError(
            f"the filename must end in `{ending}`.",
            where="filepath",
            received=path,
            fix="max_shard_size goes with .weights.json" if "weights" in ending else None,
        )


def check_shard_size(size: object) -> float | None:
    """``max_shard_size`` in bytes; None stays None.

    Raises:
        ConfigError: it is no positive number.
    """
    if size is None:
        return None
    if isinstance(size, int | float) and not isinstance(size, bool) and size > 0:
        return float(size) * GIB
    raise ConfigError(
        "max_shard_size must be a positive number of GiB, or None.",
        where="max_shard_size",
        received=repr(size),
    )
