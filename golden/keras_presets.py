"""Directories through Keras Hub: the ones it writes itself, and Hugging Face's by its converter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras_hub
import numpy as np

from golden import minilm
from golden.bundles import write_part
from golden.cases import Arrays, build
from golden.fixtures import HF_TINY_IN_KERAS, HUGGING_FACE, KERAS
from golden.keras_side import Recorder, check_dtypes, inputs_of, make_backbone, run, to_numpy


def run_all(work: Path, source: str, dtype: str) -> None:
    """Leave this source's part of every preset bundle, writing Keras's own presets first."""
    presets = work / "out" / "presets"
    for case in KERAS:
        folder = presets / case.name
        arrays, weights = build(case)
        if not folder.exists():
            write_preset(folder, case.config, weights)
        outputs = run_preset(folder, arrays, weights, dtype)
        write_part(work, case.name, source, {f"{source}.{k}": a for k, a in outputs.items()})
    arrays, weights = build(HUGGING_FACE[0])
    outputs = run_preset(presets / HUGGING_FACE[0].name, arrays, weights, dtype)
    write_part(work, HF_TINY_IN_KERAS, source, {f"{source}.{k}": a for k, a in outputs.items()})
    write_part(work, minilm.NAME, source, run_minilm(work, source, dtype))


def write_preset(folder: Path, config: dict[str, Any], weights: Arrays) -> None:
    """``save_to_preset``, with the date it stamps replaced by a fixed one."""
    make_backbone(config, weights, "float32").save_to_preset(str(folder))
    metadata = folder / "metadata.json"
    fields = json.loads(metadata.read_text())
    fields["date_saved"] = "2026-01-01@00:00:00"
    metadata.write_text(json.dumps(fields, indent=4))


def run_preset(folder: Path, arrays: Arrays, weights: Arrays, dtype: str) -> Arrays:
    """Load with ``from_preset``; check that Keras found the numbers we put in; run."""
    model = keras_hub.models.BertBackbone.from_preset(str(folder), dtype=dtype)
    for variable in model.weights:
        np.testing.assert_array_equal(to_numpy(variable), weights[variable.path])
    outputs = run(model, inputs_of(arrays, "inputs."))
    check_dtypes(outputs, dtype)
    return outputs


def run_minilm(work: Path, source: str, dtype: str) -> Arrays:
    """The 24 texts through ``BertTextEmbedder``, whose pooling and normalisation are Keras's."""
    arrays = minilm.read_tokens(work)
    backbone = keras_hub.models.BertBackbone.from_preset(str(minilm.model_dir()), dtype=dtype)
    recorder = Recorder()
    recorder.layer(backbone.transformer_layers[-1], returned="sequence_output")
    embedder = keras_hub.models.BertTextEmbedder(
        backbone, preprocessor=None, pooling_mode="mean", normalize=True
    )
    recorder.stages = {}
    vectors = to_numpy(embedder(inputs_of(arrays, "inputs.")))
    check_dtypes(recorder.stages | {"sentence_vectors": vectors}, dtype)
    return minilm.outputs(source, arrays, recorder.stages["sequence_output"], vectors)
