"""Dtype policies: what a model keeps its weights in, and what it computes in.

====================== ======== ======== ========================================================
name                   weights  computes
====================== ======== ======== ========================================================
float32                float32  float32
float64                float64  float64
float16                float16  float16  each op's result is rounded to 16 bits
bfloat16               bfloat16 bfloat16 the same
mixed_float16          float32  float16  the weights are rounded where they are used
mixed_bfloat16         float32  bfloat16 the same
float16_from_float32   float16  float32  npbert's own: nothing but the weights is rounded
bfloat16_from_float32  bfloat16 float32  the same
====================== ======== ======== ========================================================

Source: keras/src/dtype_policies/dtype_policy.py, ``DTypePolicy``; keras/src/dtype_policies/
__init__.py, ``get``. npbert's own two have names of the form that Keras gives its quantised ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

import numpy as np

from npbert.errors import ConfigError

_WIDTHS: Final = {  # name -> compute dtype, variable dtype
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "mixed_float16": ("float16", "float32"),
    "mixed_bfloat16": ("bfloat16", "float32"),
    "float16_from_float32": ("float32", "float16"),
    "bfloat16_from_float32": ("float32", "bfloat16"),
}
KERAS: Final = tuple(_WIDTHS)[:6]
"""The policies that Keras has too."""

_CLASSES: Final = ("DTypePolicy", "FloatDTypePolicy")
_QUANTISED: Final = ("int8", "int4", "float8", "gptq", "awq")


@dataclasses.dataclass(frozen=True)
class DTypePolicy:
    """One of the policies, as ``keras.DTypePolicy``.

    Args:
        name: one in the table above.

    Raises:
        ConfigError: it is another.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in _WIDTHS:
            raise _unknown(self.name, self.name)

    @property
    def compute_dtype(self) -> str:
        """What activations are rounded to, and what outputs come in."""
        return _WIDTHS[self.name][0]

    @property
    def variable_dtype(self) -> str:
        """What weights are kept in."""
        return _WIDTHS[self.name][1]

    @property
    def in_keras(self) -> DTypePolicy:
        """What a file for Keras says: this policy, or float32 where Keras has none such."""
        return self if self.name in KERAS else DTypePolicy(self.compute_dtype)

    def serialized(self) -> dict[str, Any]:
        """What Keras makes of it in a config."""
        names = {"module": "keras", "class_name": "DTypePolicy"}
        return {**names, "config": {"name": self.name}, "registered_name": None}


FLOAT32: Final = DTypePolicy("float32")

_default: DTypePolicy | None = None


def get(dtype: object = None, own: str = "float32") -> DTypePolicy:
    """The policy that is meant, as ``keras.dtype_policies.get`` finds it.

    Args:
        dtype: a policy's name; a dtype of NumPy, ml_dtypes, PyTorch, TensorFlow or JAX; a policy of
            npbert or Keras, or what `DTypePolicy.serialized` makes of one; None is the default.
        own: what None means unless `set_dtype_policy` has said it.

    Raises:
        ConfigError: nothing of the kind, or a policy that npbert does not have.
    """
    if dtype is None:
        return _default or DTypePolicy(own)
    if isinstance(dtype, DTypePolicy):
        return dtype
    if isinstance(dtype, Mapping):
        return _deserialized(cast("Mapping[str, object]", dtype))
    name = _name(dtype)
    if name not in _WIDTHS:
        raise _unknown(name, dtype)
    return DTypePolicy(name)


def dtype_policy() -> DTypePolicy:
    """What a model gets where nothing else is said: float32, or what was last set."""
    return get()


def set_dtype_policy(policy: object) -> None:
    """Set what a model gets where nothing else is said, as ``keras.config.set_dtype_policy``.

    From then on also what a Keras preset is loaded in, whatever it was saved in.

    Args:
        policy: as in `get`; None takes back what was set.

    Raises:
        ConfigError: as in `get`.
    """
    global _default
    _default = None if policy is None else get(policy)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's dtype of this name; for ``"bfloat16"`` that of ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def _deserialized(saved: Mapping[str, object]) -> DTypePolicy:
    config = saved.get("config")
    if saved.get("class_name") in _CLASSES and isinstance(config, Mapping):
        name = cast("Mapping[str, object]", config).get("name")
        if name is None or isinstance(name, str):
            return get(name)
    raise _unknown(None, dict(saved))


def _name(dtype: object) -> object:
    """What the object calls itself."""
    if isinstance(dtype, str):
        return str(dtype)
    if dtype is float:  # to NumPy it is float64
        return "float32"
    for attribute in ("name", "__name__"):  # a NumPy dtype, TensorFlow's, a policy; a class
        name = getattr(dtype, attribute, None)
        if isinstance(name, str):
            return name
    return str(dtype).removeprefix("torch.")


def _unknown(name: object, received: object) -> ConfigError:
    fix = "give one of these names to the whole model"
    if isinstance(name, str) and name.startswith(_QUANTISED):
        fix = "choose a float; a preset that Keras quantised to int8 is read in any of these"
    elif isinstance(name, str) and (near := get_close_matches(name, _WIDTHS, n=1, cutoff=0.5)):
        fix = f"did you mean {near[0]!r}?"
    return ConfigError(
        "dtype is not one that npbert has.",
        where="dtype",
        received=f"{received!r:.80}",
        expected=", ".join(_WIDTHS),
        fix=fix,
    )
