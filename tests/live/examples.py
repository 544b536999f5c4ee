"""The examples in Keras Hub's documentation, run with whichever library is given."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np

STAND_IN = {
    "vocabulary_size": 307,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 48,
    "intermediate_dim": 101,
    "max_sequence_length": 17,
    "num_segments": 4,
}
"""The config of the preset that stands in for a published one, whose weights need a download."""

_PUBLISHED = ("bert_base_en_uncased", "bert_base_en")

MORE = """
input_data = {
    "token_ids": np.arange(24).reshape(2, 12),
    "segment_ids": np.zeros((2, 12), "int64"),
    "padding_mask": np.ones((2, 12), "bool"),
}
model = keras_hub.models.BertBackbone(
    vocabulary_size=61,
    num_layers=3,
    num_heads=5,
    hidden_dim=40,
    intermediate_dim=23,
    dropout=0.0,
    max_sequence_length=12,
    num_segments=3,
    dtype="float32",
    name="small",
)
model(input_data)
model.predict(input_data)
model = keras_hub.models.BertBackbone.from_config(model.get_config())
model(input_data)
model.token_embedding(input_data["token_ids"])
model.token_embedding(np.ones((2, 5, 40), "float32"), reverse=True)
model = keras_hub.models.Backbone.from_preset("bert_base_en", load_weights=False, num_layers=1)
model(input_data)
"""


def documented(keras_hub: Any) -> str:
    """The code in the docstrings of ``BertBackbone`` and ``Backbone.from_preset``."""
    models = keras_hub.models
    blocks: list[str] = []
    for described in (models.BertBackbone, models.Backbone.from_preset):
        found = re.findall(r"```python\n(.*?)```", inspect.getdoc(described) or "", re.DOTALL)
        assert found, described
        blocks += map(dedent, found)
    return "\n".join(blocks)


def run_code(keras_hub: Any, code: str, preset: Path) -> list[dict[str, Any]]:
    """Run statement by statement; what each model that was made is, and each output's shape.

    Args:
        keras_hub: the library the code calls by that name.
        code: statements; those about models that are no BERT are left out.
        preset: the directory that stands in for the published presets.
    """
    scope: dict[str, Any] = {"keras_hub": keras_hub, "np": np}
    found: list[dict[str, Any]] = []
    for statement in ast.parse(code).body:
        source = ast.unparse(statement)
        if "gemma" in source.lower():
            continue
        for name in _PUBLISHED:
            source = source.replace(repr(name), repr(str(preset)))
        if isinstance(statement, ast.Expr):
            found.append({"shapes": _shapes(eval(source, scope))})
        else:
            exec(source, scope)
        if source.startswith("model ="):
            model = scope["model"]
            config = {k: v for k, v in model.get_config().items() if k != "name"}
            found.append({"config": config, "count_params": model.count_params()})
    return found


def _shapes(output: Any) -> Any:
    if isinstance(output, dict):
        return {name: list(output[name].shape) for name in sorted(output)}
    return list(output.shape)
