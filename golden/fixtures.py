"""Model directories as the real libraries write them, tiny, and what those libraries compute.

``presets/NAME/`` is the directory; the bundle ``presets/NAME`` beside it has the outputs, and under
``weights.*`` the numbers that were put in, by canonical name.
"""

from __future__ import annotations

import dataclasses

from golden.cases import CASES, MASKS, Case, config

KERAS = (
    Case(
        name="keras_tiny",
        about="written by keras_hub's save_to_preset",
        seed=201,
        config=config(23, 2, 3, 12, 17, 10, 6),
        tokens=7,
        masks=MASKS,
    ),
    Case(
        name="keras_tiny_dropout_zero",
        about="written by keras_hub's save_to_preset; the other mask path",
        seed=202,
        config=config(25, 1, 2, 14, 19, 9, 3, dropout=0.0),
        tokens=8,
        masks=MASKS,
    ),
)

_ERF = {"activation": "gelu"}

HUGGING_FACE = (
    Case(
        name="hf_tiny",
        about="written by transformers' BertModel.save_pretrained: no prefix, with pooler",
        seed=203,
        config=config(26, 3, 5, 20, 29, 12, 2) | _ERF,
        tokens=9,
        masks=("full", "ragged", "holes", "left"),
    ),
    Case(
        name="hf_tiny_prefixed",
        about="written by transformers' BertForMaskedLM.save_pretrained: 'bert.' before every "
        "name, no pooler, and the head's own tensors",
        seed=204,
        config=config(28, 1, 4, 24, 31, 11, 2) | _ERF,
        tokens=7,
        masks=("ragged", "holes", "left"),
    ),
)

HF_TINY_IN_KERAS = "hf_tiny_in_keras"
"""The bundle of hf_tiny as Keras Hub's converter loads it: tanh GELU, though the file says erf."""


def hugging_face_cases() -> list[Case]:
    """Two of the tiny cases again, with the erf and with the tanh GELU, without accuracy set.

    Hugging Face adds the most negative number to a masked score, so a fully masked row is uniform,
    as in Keras with dropout 0; that is why these configs carry dropout 0.
    """
    return [
        dataclasses.replace(
            case,
            name=f"hf_{case.name}_{suffix}",
            about=f"{case.about}; Hugging Face transformers, {suffix} GELU",
            config=case.config | {"activation": activation, "dropout": 0.0},
            accuracy_tokens=0,
        )
        for case in CASES
        if case.name in ("odd_width", "deep")
        for suffix, activation in (("erf", "gelu"), ("tanh", "gelu_approximate"))
    ]
