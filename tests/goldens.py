"""The golden cases as tests use them: bundles, stage names, and models made from their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.backbone import BertBackbone
from npbert.config import BertConfig
from npbert.dtype_policy import KERAS, DTypePolicy, numpy_dtype
from npbert.parity.bundle import Bundle, load_bundle
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.tasks.task import Task
from npbert.tasks.text_classifier import BertTextClassifier

GOLDEN = Path(__file__).parents[1] / "golden"
PRESETS = GOLDEN / "presets"

KERAS_CASES = (
    *("odd_width", "one_head", "dropout_zero", "deep", "head_32_dropout_zero"),
    *("head_64", "one_token", "no_layers", "wide_dropout_zero", "long"),
)
HUGGING_FACE_CASES = ("hf_deep_erf", "hf_deep_tanh", "hf_odd_width_erf", "hf_odd_width_tanh")
CASES = (*KERAS_CASES, *HUGGING_FACE_CASES)
HEAD_CASES = (
    *("heads/classifier", "heads/masked_lm"),
    *("heads/hf_classifier", "heads/hf_masked_lm", "heads/hf_masked_lm_tanh"),
)

POLICIES = (*KERAS, "float16_from_float32", "bfloat16_from_float32")
"""Every dtype policy; float32 is the first."""
CASES_OF = dict.fromkeys(POLICIES, ("odd_width", "hf_odd_width_erf", "long"))
CASES_OF["float32"] = CASES
"""By policy. All have one source: three cases will do for each but float32, if they have both mask
paths, both GELUs, and sums longer than one part."""
MODELS = tuple((case, dtype) for dtype, cases in CASES_OF.items() for case in cases)

OUTPUTS = ("sequence_output", "pooled_output")
Arrays = Mapping[str, NDArray[Any]]


@cache
def bundle(case: str) -> Bundle:
    """The golden bundle of a case, loaded once."""
    return load_bundle(GOLDEN / case)


def config(case: str) -> BertConfig:
    """The case's config."""
    return BertConfig(**bundle(case).meta["config"])


def inputs(case: str, prefix: str = "inputs") -> dict[str, NDArray[np.int32]]:
    """The three inputs of the case's batch, or of its accuracy set."""
    return bundle(case).group(prefix)


def weights(case: str, dtype: type = np.float32) -> dict[str, NDArray[Any]]:
    """The case's weights by canonical name."""
    return {name: w.astype(dtype) for name, w in bundle(case).group("weights").items()}


def unchecked_backbone(config: BertConfig, weights: Arrays, dtype: str = "float32") -> BertBackbone:
    """A model of weights that `BertBackbone.from_weights` would refuse: with NaN in them."""
    model, policy = BertBackbone.__new__(BertBackbone), DTypePolicy(dtype)
    kept = numpy_dtype(policy.variable_dtype)
    model._set_up(
        config, {name: w.astype(kept) for name, w in weights.items()}, policy, num_threads=1
    )
    return model


@cache
def backbone(case: str, num_threads: int = 1, dtype: str = "float32") -> BertBackbone:
    """The case's model, made once for each number of threads and dtype policy."""
    return BertBackbone.from_weights(
        config(case), weights(case), num_threads=num_threads, dtype=dtype
    )


def exact_source(case: str) -> str:
    """The float64 source of a case."""
    return "hf64" if _is_hugging_face(case) else "tf64"


def float32_sources(case: str) -> tuple[str, ...]:
    """The float32 sources of a case."""
    return ("hf32",) if _is_hugging_face(case) else ("tf32", "jax32")


def _is_hugging_face(case: str) -> bool:
    return case.rpartition("/")[2].startswith("hf_")


def task(case: str, activation: str | None = None) -> Task:
    """The task of one of `HEAD_CASES`; ``activation`` is a classifier's."""
    tensors = weights(case)
    head = {name: tensors.pop(name) for name in [*tensors] if name.startswith(("logits", "mlm"))}
    backbone = BertBackbone.from_weights(config(case), tensors, num_threads=1)
    made: Task
    if "logits/bias" in head:
        made = BertTextClassifier(backbone, len(head["logits/bias"]), activation=activation)
    else:
        theirs = config(case).activation, config(case).layer_norm_epsilon
        activation, epsilon = theirs if _is_hugging_face(case) else ("gelu", 1e-5)
        made = BertMaskedLM(
            backbone, intermediate_activation=activation, layer_norm_epsilon=epsilon
        )
    made.set_head_weights(head)
    return made


def stages(config: BertConfig) -> list[str]:
    """Every stage of a forward pass, in the order in which it computes them."""
    names = [f"embeddings.{s}" for s in ("token", "position", "segment", "sum", "layer_norm")]
    for i in range(config.num_layers):
        names += [
            f"layer.{i}.{stage}"
            for stage in (
                *("query", "key", "value", "scores", "probs", "context"),
                *("attention_output", "attention_residual", "attention_layer_norm"),
                *("intermediate", "activation", "output"),
                *("output_residual", "output_layer_norm"),
            )
        ]
    return [*names, *OUTPUTS]


class Divergence(NamedTuple):
    """The first stage that is out of tolerance."""

    stage: str
    error: float
    allowed: float
    index: tuple[int, ...]


def first_divergence(
    names: Iterable[str], ours: Arrays, theirs: Arrays, *, rtol: float = 0.0, atol: float = 0.0
) -> Divergence | None:
    """The first of ``names`` where ``|ours - theirs| > atol + rtol * max|theirs|``, or None.

    A stage that ``theirs`` lacks is passed over: the real layer did not show it.
    """
    for name in names:
        if name not in theirs:
            continue
        assert ours[name].shape == theirs[name].shape, name
        expected = theirs[name].astype(np.float64)
        error = np.abs(ours[name].astype(np.float64) - expected)
        allowed = atol + rtol * float(np.abs(expected).max(initial=0.0))
        if not (error <= allowed).all():  # NaN is not
            at = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            index = tuple(int(i) for i in np.unravel_index(at, error.shape))
            return Divergence(name, float(error[index]), allowed, index)
    return None


def bits(array: NDArray[Any]) -> NDArray[Any]:
    """The floats as integers, so that equal means equal to the last bit, NaN and -0 too."""
    assert array.dtype.name in ("float32", "float64", "float16", "bfloat16")
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")


def assert_same_bits(ours: Arrays, theirs: Arrays, where: Any = ...) -> None:
    """Both dictionaries hold the same arrays, bit for bit; ``where`` selects from each."""
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(bits(array[where]), bits(theirs[name][where]), name)


def sha256(outputs: Arrays) -> str:
    """One hash of the two outputs."""
    digest = hashlib.sha256()
    for name in OUTPUTS:
        whole = bits(outputs[name])
        digest.update(whole.astype(whole.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
