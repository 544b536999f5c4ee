"""`BertConfig`: the numbers that define a BERT, under Keras Hub's names.

Source: keras_hub/src/models/bert/bert_backbone.py, ``BertBackbone.__init__``. Keras Hub fixes the
activation and the layer norm's epsilon in code; here they are fields, because Hugging Face's BERT
differs in the first (erf instead of tanh GELU) and may differ in the second.
"""

from __future__ import annotations

import dataclasses
from difflib import get_close_matches
from typing import Any, Final

from npbert.dtype_policy import dtype_policy as dtype_policy
from npbert.dtype_policy import set_dtype_policy as set_dtype_policy
from npbert.errors import ConfigError

ACTIVATIONS: Final = ("gelu_approximate", "gelu")
"""The tanh GELU of Keras Hub's BERT, and the erf GELU of Hugging Face's; up to 4.73e-4 apart."""

KERAS_LAYER_NORM_EPSILON: Final = 1e-12

# A field past its limit is a damaged config, not a model: the largest BERT ever published has
# hidden_dim 1024 and a vocabulary of 250,037.
_LIMITS: Final = {
    "vocabulary_size": (1, 10_000_000),
    "num_layers": (0, 1_000),
    "num_heads": (1, 4_096),
    "hidden_dim": (1, 65_536),
    "intermediate_dim": (1, 1_048_576),
    "max_sequence_length": (1, 1_000_000),
    "num_segments": (1, 4_096),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BertConfig:
    """The shape and the constants of one BERT. Immutable, and valid once it exists.

    Args:
        vocabulary_size: V, rows of the token table.
        num_layers: L, encoder layers; 0 leaves embeddings and pooler.
        num_heads: N; must divide ``hidden_dim``.
        hidden_dim: D.
        intermediate_dim: F.
        dropout: the training rate. Inference drops nothing, but Keras masks attention in one way
            when it is above 0 and in another when it is 0 (see `npbert.ops.attention`).
        max_sequence_length: P, rows of the position table.
        num_segments: S, rows of the segment table.
        activation: ``"gelu_approximate"`` (tanh) or ``"gelu"`` (erf).
        layer_norm_epsilon: added to the variance in every layer norm.

    Raises:
        ConfigError: a field is missing, of the wrong type, out of range, or contradicts another.
    """

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    dropout: float = 0.1
    max_sequence_length: int = 512
    num_segments: int = 2
    activation: str = "gelu_approximate"
    layer_norm_epsilon: float = KERAS_LAYER_NORM_EPSILON

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            check_int(name, getattr(self, name), low, high)
        check_number("dropout", self.dropout, 0.0, 1.0)
        check_number("layer_norm_epsilon", self.layer_norm_epsilon, 1e-38, 1.0)
        if self.activation not in ACTIVATIONS:
            raise ConfigError(
                "activation is not one that BERT uses.",
                received=repr(self.activation),
                expected=" or ".join(map(repr, ACTIVATIONS)),
                fix="'gelu_approximate' is Keras Hub's (tanh), 'gelu' Hugging Face's (erf)",
            )
        if self.hidden_dim % self.num_heads:
            raise ConfigError(
                "hidden_dim is not divisible by num_heads.",
                received=f"hidden_dim={self.hidden_dim}, num_heads={self.num_heads}",
                expected="a whole number of features per head",
                fix="choose num_heads among the divisors of hidden_dim",
            )

    @property
    def head_dim(self) -> int:
        """H, the features of one attention head."""
        return self.hidden_dim // self.num_heads

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dictionary, in the order of the constructor."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, where: object = None) -> BertConfig:
        """Build a config from a dictionary, naming missing and unknown fields.

        Raises:
            ConfigError: see the class; ``where`` (a file, say) is added to the message.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        for name in fields:
            if name not in known:
                raise unknown_name("BertConfig field", name, list(known), where=where)
        required = [n for n, field in known.items() if field.default is dataclasses.MISSING]
        missing = [name for name in required if name not in fields]
        if missing:
            raise ConfigError(
                f"the config lacks {', '.join(missing)}.",
                where=where,
                expected=", ".join(required),
                fix="check that the file is a BERT config, and whole",
            )
        try:
            return cls(**fields)
        except ConfigError as error:
            if where is None:
                raise
            raise ConfigError(
                error.what,
                where=where,
                received=error.received,
                expected=error.expected,
                fix=error.fix,
            ) from None


def unknown_name(kind: str, name: str, valid: list[str], *, where: object = None) -> ConfigError:
    """The error for a name nobody knows, with the nearest one that somebody does."""
    near = get_close_matches(name, valid, n=1)
    return ConfigError(
        f"unknown {kind} {name!r}.",
        where=where,
        expected=", ".join(valid),
        fix=f"did you mean {near[0]!r}?" if near else "remove it",
    )


def check_int(name: str, value: object, low: int, high: int) -> None:
    """Refuse a setting that is no int from ``low`` to ``high``.

    Raises:
        ConfigError: naming it.
    """
    # bool is an int to Python, and True heads are a mistake; NumPy integers have __index__.
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return
    fix = None
    if name == "max_sequence_length" and value is None:
        fix = "Keras Hub documents None but fails on it; give the length, 512 for every preset"
    raise ConfigError(
        f"{name} must be an int in [{low}, {high}].",
        received=f"{value!r} ({type(value).__name__})",
        fix=fix,
    )


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Refuse a setting that is no number from ``low`` to ``high``.

    Raises:
        ConfigError: naming it.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return
    raise ConfigError(
        f"{name} must be a number in [{low:g}, {high:g}].",
        received=f"{value!r} ({type(value).__name__})",
    )
