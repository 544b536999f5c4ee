"""What npbert writes in the matrix of formats, for the libraries to read."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

from live.drawn import Built

from npbert import BertBackbone
from npbert.cli import convert
from npbert.config import BertConfig

POLICIES = "float64 bfloat16 mixed_float16 mixed_bfloat16 float16_from_float32"
ERF = {"activation": "gelu", "layer_norm_epsilon": 1e-5}


def config_of(built: Built) -> BertConfig:
    """The drawn model's."""
    return BertConfig(**built.case.config)


def make(built: Built, policy: str = "float32") -> BertBackbone:
    """The drawn model."""
    return BertBackbone.from_weights(config_of(built), built.weights, dtype=policy)


def shard_size(built: Built) -> float:
    """In GiB: room for the largest tensor, which is far from all."""
    return max(array.nbytes for array in built.weights.values()) / 2**30


def preset(path: Path, built: Built, dtype: str, shards: bool = False) -> None:
    size = shard_size(built) if shards else None
    make(built).save_to_preset(path, dtype=dtype, max_shard_size=size)


def weights(path: Path, built: Built, dtype: str, shards: bool = False) -> None:
    size = shard_size(built) if shards else None
    make(built).save_weights(path, dtype=dtype, max_shard_size=size)


def lossy_preset(path: Path, built: Built, dtype: str) -> None:
    """Of a model whose GELU and epsilon the format cannot say."""
    config = dataclasses.replace(config_of(built), **ERF)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*computes other numbers")
        model = BertBackbone.from_weights(config, built.weights)
        model.save_to_preset(path, dtype=dtype, allow_lossy=True)


def archive(path: Path, built: Built, dtype: str) -> None:
    make(built).save(path, dtype=dtype)


def archive_in(path: Path, built: Built, policy: str) -> None:
    """Of a model in this policy, saved as it is."""
    make(built, policy).save(path)


def transformers_in(path: Path, built: Built, policy: str) -> None:
    make(built, policy).export_to_transformers(path)


def transformers(path: Path, built: Built, dtype: str) -> None:
    make(built).export_to_transformers(path, dtype=dtype)


def without_pooler(path: Path, built: Built, dtype: str) -> None:
    weights = {k: a for k, a in built.weights.items() if not k.startswith("pooled_dense")}
    transformers(path, built._replace(weights=weights), dtype)


def converted(path: Path, source: Path, dtype: str) -> None:
    """``npbert convert SOURCE PATH --to hf``."""
    convert.run(str(source), path, convert.Format.hf, convert.Width(dtype))
