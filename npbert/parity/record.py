"""A source written down, so that anything can be compared with it, anywhere, at any time.

The bundle (see `npbert.parity.bundle`) has the inputs and every stage that the source shows of
them, and what the source makes of texts. Beside ``config``, the JSON holds:

===================  ==========================================================================
key                  value
===================  ==========================================================================
``environment``      versions, CPU, threads, dtype: what tells this run from another
``texts``            those that ``tokens``, ``text.pooling`` and ``text.vector`` are of
``tokens``           the fields of `npbert.parity.types.Tokens`, if the source shows its tokens
``tolerances``       stage -> the largest difference to let pass, and that of its 99th percentile
                     or null, against an implementation of the same dtype
``weights_sha256``   name -> hash of dtype, shape and bytes, where there are too many to keep
===================  ==========================================================================

Neither names of machines nor paths are written.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.engine.threads import available
from npbert.errors import InputError
from npbert.parity import inputs as batches
from npbert.parity import layouts
from npbert.parity.arbiter import find_model, takes
from npbert.parity.budget import place, tolerance
from npbert.parity.bundle import Bundle, save_bundle, weight_hashes
from npbert.parity.inputs import MOST_POSITIONS, Batch
from npbert.parity.noise import Noise, expected
from npbert.parity.sources.wrap import Model, as_source
from npbert.parity.texts import TEXTS
from npbert.parity.types import Inputs, Source, Stages, Tokens
from npbert.simd.isa import target

MOST_WEIGHT_BYTES: Final = 1 << 20
"""Of more, the hashes are kept."""

FEW_POSITIONS: Final = 256
"""B x T of the batch, where the caller brings neither texts nor inputs."""


def record(
    source: Model,
    stem: str | Path,
    *,
    texts: Sequence[str] | None = None,
    inputs: Inputs | None = None,
    weights: bool = True,
) -> Bundle:
    """Write ``stem.json`` and ``stem.safetensors``: both, or after an error none.

    ``bundle:STEM`` is then a source for `npbert.parity.compare`, and `npbert.parity.assert_parity`
    tests a model against it.

    Args:
        source: what to record: see `npbert.parity.sources.wrap.Model`.
        stem: the files' name without its ending; missing folders are made.
        texts: whose tokens and vectors to record, and to make inputs of. Without them and
            ``inputs``, `npbert.parity.texts.TEXTS`; inputs are then made of the shortest.
        inputs: ``token_ids``, ``segment_ids`` and ``padding_mask``, (B, T).
        weights: False leaves out the weights and their hashes; with them, a comparison can say
            which side is wrong.

    Returns:
        What was written.

    Raises:
        InputError: the source shows nothing to record.
        ConfigError: the files cannot be written. All that `npbert.parity.open_source` raises.
    """
    side = as_source(source)
    most = FEW_POSITIONS if texts is None else MOST_POSITIONS
    if texts is None and inputs is None:
        texts = batches.texts_of(side) or (TEXTS if side.recorded is None else None)
    tokens = side.tokenize(texts) if texts else None
    batch = batches.of_one(side, tokens, most) if inputs is None else batches.given(inputs)
    of_batch = layouts.run(side, batch.inputs, side.config)[0] if batch else {}
    of_texts = dict(side.encode(texts) or {}) if texts else {}
    stages = {**of_batch, **{name: np.asarray(x) for name, x in of_texts.items()}}
    if not stages:
        raise InputError(
            "the source shows nothing that could be recorded.",
            where=side.name,
            expected="a stage of the forward pass, or the vectors of texts",
        )
    bundle = _bundle(side, batch if of_batch else None, stages, weights)
    if texts and (tokens is not None or of_texts):
        bundle.meta["texts"] = list(texts)
        if tokens is not None:
            bundle.meta["tokens"] = _plain(tokens)
    save_bundle(stem, bundle)
    return bundle


def _bundle(source: Source, batch: Batch | None, stages: Stages, keep_weights: bool) -> Bundle:
    weights = source.weights()
    meta: dict[str, Any] = {
        "environment": _environment(source),
        "tolerances": _tolerances(source, batch, stages),
    }
    if source.config is not None:
        meta["config"] = source.config.to_dict()
    arrays = {f"{source.kind}.{stage}": array for stage, array in stages.items()}
    if batch is not None:
        arrays |= {
            f"inputs.{name}": np.asarray(array, np.int32) for name, array in batch.inputs.items()
        }
    if keep_weights and weights is not None:
        if sum(tensor.nbytes for tensor in weights.values()) <= MOST_WEIGHT_BYTES:
            arrays |= {f"weights.{name}": tensor for name, tensor in weights.items()}
        else:
            meta["weights_sha256"] = weight_hashes(weights)
    return Bundle(meta, arrays)


def _environment(source: Source) -> dict[str, str]:
    """The source's own, and the machine's."""
    triple, cpu, features = target()
    switched_on = sorted(each for each in features.split(",") if each.startswith("+"))
    return {
        "kind": source.kind,
        "system": platform.system(),
        "machine": triple.partition("-")[0],
        "cpu": cpu,
        "cpu_features": ",".join(switched_on),
        "cpus": str(available()[0]),
        "python": platform.python_version(),
        **source.environment,
    }


def _tolerances(
    source: Source, batch: Batch | None, stages: Stages
) -> dict[str, tuple[float, float | None]]:
    """What `npbert.parity.budget` lets pass at each stage."""
    noise = _noise(source, batch)
    found = {}
    for stage in sorted(stages, key=place):
        array = stages[stage]
        most = float(np.max(np.abs(array), initial=0, where=np.isfinite(array)))
        expects = noise.errors.get(stage) if noise else None
        found[stage] = tuple(tolerance(stage, (array.dtype,), most, expects))
    return found  # type: ignore[return-value]


def _noise(source: Source, batch: Batch | None) -> Noise | None:
    """Of float32, where the source shows what it computes."""
    model = find_model(source, source, (source.weights(), None))
    if model is None or batch is None or not takes(model, batch.inputs):
        return None
    return expected(model.config, model.weights, batch.inputs)


def _plain(tokens: Tokens) -> dict[str, Any]:
    """The fields that are known, as JSON has them."""
    fields = dataclasses.asdict(tokens)
    return {name: _listed(rows) for name, rows in fields.items() if rows is not None}


def _listed(value: Any) -> Any:
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, np.integer):
        return int(value)
    return [_listed(each) for each in value]
