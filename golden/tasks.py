"""Heads: tiny classifiers and masked LMs, as the real libraries compute them.

A bundle ``heads/NAME`` has the inputs, the weights of backbone and head under ``weights.*``, and
``SOURCE.logits`` (of a classifier ``SOURCE.softmax`` too). No two dimensions are equal, heads' C
and M among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from golden.bundles import collect, new_bundle, write_bundle, write_part
from golden.cases import MASKS, Arrays, Case, build, config, draw_array

CLASSES = 5
"""C."""

PLACES = 4
"""M, the columns asked for in each sequence."""

# Hugging Face adds to masked scores, so a fully masked row is uniform, as in Keras with dropout 0.
_HUGGING_FACE = {"activation": "gelu", "dropout": 0.0}
_TANH = {"activation": "gelu_approximate", "dropout": 0.0}


def _case(name: str, about: str, seed: int, **different: Any) -> Case:
    sizes = config(43, 1, 3, 24, 35, 11, 2)
    masks = (*MASKS, "ragged")
    return Case(name=name, about=about, seed=seed, config=sizes | different, tokens=9, masks=masks)


KERAS = (
    _case("classifier", "keras_hub's BertTextClassifier, logits and softmax", 301),
    _case("masked_lm", "keras_hub's BertMaskedLM: erf GELU, epsilon 1e-5", 302),
)
HUGGING_FACE = (
    _case("hf_classifier", "BertForSequenceClassification", 303, **_HUGGING_FACE),
    _case("hf_masked_lm", "BertForMaskedLM, erf GELU, epsilon 1e-12", 304, **_HUGGING_FACE),
    _case("hf_masked_lm_tanh", "BertForMaskedLM, tanh GELU", 305, **_TANH),
)


def head_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """The head's tensors by Keras Hub's variable path."""
    d, v = case.config["hidden_dim"], case.config["vocabulary_size"]
    if "classifier" in case.name:
        return {"logits/kernel": (d, CLASSES), "logits/bias": (CLASSES,)}
    return {
        "mlm_head/output_bias": (v,),
        "mlm_head/intermediate_dense/kernel": (d, d),
        "mlm_head/intermediate_dense/bias": (d,),
        "mlm_head/intermediate_layer_norm/gamma": (d,),
        "mlm_head/intermediate_layer_norm/beta": (d,),
    }


def build_task(case: Case) -> tuple[Arrays, Arrays, Arrays]:
    """The case's arrays under their bundle keys, the backbone's weights and the head's."""
    arrays, weights = build(case)
    rng = np.random.default_rng(case.seed + 1000)
    head = {name: draw_array(rng, name, shape) for name, shape in head_shapes(case).items()}
    if "masked_lm" in case.name:
        places = rng.integers(case.tokens, size=(len(case.masks), PLACES), dtype=np.int32)
        arrays = arrays | {"inputs.mask_positions": places}
    return arrays, weights, head


def write_tasks(work: Path) -> None:
    """Every bundle, from the parts that the workers left."""
    for case in (*KERAS, *HUGGING_FACE):
        arrays, weights, head = build_task(case)
        arrays |= {f"weights.{name}": array for name, array in (weights | head).items()}
        arrays |= collect(work, f"task_{case.name}")
        bundle = new_bundle(
            case.name, case.about, case.config, arrays, seed=case.seed, masks=list(case.masks)
        )
        write_bundle(work / "out" / "heads" / case.name, bundle)


# -- in a Keras worker -----------------------------------------------------------------------------


def run_keras(work: Path, source: str, dtype: str) -> None:
    """Leave this source's part of every case of `KERAS`."""
    from golden.keras_side import check_dtypes

    for case in KERAS:
        outputs = _keras_outputs(case, dtype)
        check_dtypes(outputs, dtype)
        part = {f"{source}.{name}": array for name, array in outputs.items()}
        write_part(work, f"task_{case.name}", source, part)


def _keras_outputs(case: Case, dtype: str) -> Arrays:
    import keras_hub

    from golden.keras_side import make_backbone, to_numpy

    arrays, weights, head = build_task(case)
    inputs = {name.removeprefix("inputs."): array for name, array in arrays.items()}
    backbone = make_backbone(case.config, weights, dtype)
    outputs: Arrays = {}
    for name, activation in (("logits", None), ("softmax", "softmax")):
        if "classifier" in case.name:
            task = keras_hub.models.BertTextClassifier(backbone, CLASSES, activation=activation)
        elif activation is None:
            task = keras_hub.models.BertMaskedLM(backbone)
        else:
            continue
        variables = {v.path: v for v in task.weights if v.path not in weights}
        if variables.keys() != head.keys():
            raise AssertionError(f"other weight names: {variables.keys() ^ head.keys()}")
        for path, variable in variables.items():
            variable.assign(head[path])
        outputs[name] = to_numpy(task(inputs))
    return outputs


# -- in the torch worker ---------------------------------------------------------------------------


def run_hugging_face(work: Path) -> None:
    """Leave both widths' parts of every case of `HUGGING_FACE`."""
    from golden.hugging_face import WIDTHS

    for case in HUGGING_FACE:
        for source, width in WIDTHS.items():
            part = {f"{source}.logits": hugging_face_logits(case, width)}
            write_part(work, f"task_{case.name}", source, part)


def hugging_face_model(case: Case) -> Any:
    """The model with its head, every tensor set."""
    import torch
    import transformers

    from golden.hugging_face import make_config, state_of

    _, weights, head = build_task(case)
    settings = make_config(case.config, case.config["dropout"])
    state = {f"bert.{k}": t for k, t in state_of(weights, case.config["num_layers"]).items()}
    if "classifier" in case.name:
        settings.num_labels = CLASSES
        model = transformers.BertForSequenceClassification(settings)
        more = {
            "classifier.weight": head["logits/kernel"].T,
            "classifier.bias": head["logits/bias"],
        }
    else:
        model = transformers.BertForMaskedLM(settings)
        state = {name: tensor for name, tensor in state.items() if ".pooler." not in name}
        predictions, bias = "cls.predictions", head["mlm_head/output_bias"]
        transform, norm = f"{predictions}.transform", "mlm_head/intermediate_layer_norm"
        more = {
            f"{transform}.dense.weight": head["mlm_head/intermediate_dense/kernel"].T,
            f"{transform}.dense.bias": head["mlm_head/intermediate_dense/bias"],
            f"{transform}.LayerNorm.weight": head[f"{norm}/gamma"],
            f"{transform}.LayerNorm.bias": head[f"{norm}/beta"],
            f"{predictions}.bias": bias,
            f"{predictions}.decoder.bias": bias,
            f"{predictions}.decoder.weight": weights["token_embedding/embeddings"],
        }
    state |= {name: torch.from_numpy(array.copy()) for name, array in more.items()}
    model.load_state_dict(state, strict=True)
    return model.eval()


def hugging_face_logits(case: Case, width: Any) -> np.ndarray[Any, Any]:
    """(B, C), or (B, M, V) at the places asked for."""
    import torch

    arrays, _, _ = build_task(case)
    model = hugging_face_model(case).to(width)
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor(arrays["inputs.token_ids"]).long(),
            token_type_ids=torch.tensor(arrays["inputs.segment_ids"]).long(),
            attention_mask=torch.tensor(arrays["inputs.padding_mask"]).long(),
        ).logits.numpy()
    if "inputs.mask_positions" not in arrays:
        return np.array(logits)
    places = arrays["inputs.mask_positions"][:, :, None]
    return np.take_along_axis(logits, places, axis=1)
