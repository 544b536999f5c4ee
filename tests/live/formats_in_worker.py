"""Models as their libraries store them: ``python -m live.formats_in_worker KIND WORK SEED``.

Leaves in WORK, for every format, a directory (or a file) that the library wrote, and in
``NAME@formats.npz`` the weights that the library means by it, its outputs, and those in float64.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from live import drawn
from live.peers import save

from golden.cases import Arrays

KERAS_CASE, HUGGING_FACE_CASE = 3, 0
"""Which of the drawn models; both have several layers."""

KERAS_FORMATS = ("sharded", "float16", "bfloat16", "float64", "int8", "lora")
REFUSED = ("int4", "float8")
LEGACY = ("legacy_model", "legacy_weights")
HUGGING_FACE_FORMATS = {  # name -> (transformers' class, dtype of the file, largest shard in bytes)
    "hf_sharded": ("BertModel", "float32", 20_000),
    "hf_sharded_classifier": ("BertForSequenceClassification", "bfloat16", 20_000),
    "hf_questions": ("BertForQuestionAnswering", "float16", 10**9),
    "hf_tokens": ("BertForTokenClassification", "float32", 10**9),
}
NO_POOLER = ("hf_questions", "hf_tokens")


# -- Keras Hub -------------------------------------------------------------------------------------


def keras_formats(work: Path, seed: int) -> None:
    from golden.keras_side import make_backbone

    built = drawn.build(drawn.keras_cases(seed)[KERAS_CASE])
    for name in ("float16", "bfloat16", "float64"):
        make_backbone(built.case.config, built.weights, name).save_to_preset(str(work / name))
        leave_keras(work, name, built, read_back(work / name))
    model = make_backbone(built.case.config, built.weights, "float32")
    largest = max(array.nbytes for array in built.weights.values())
    model.save_to_preset(str(work / "sharded"), max_shard_size=1.1 * largest / 2**30)
    leave_keras(work, "sharded", built, read_back(work / "sharded"))
    quantised(work, built)
    lora(work, built)
    legacy(work, built, model)
    old_layouts(work, built, model)


def leave_keras(work: Path, name: str, built: drawn.Built, model: Any, weights: Any = None) -> None:
    """What Keras's model gives, and what float64 makes of the weights it stands for."""
    from golden.keras_side import make_backbone, run, to_numpy

    weights = weights or {each.path: to_numpy(each) for each in model.weights}
    exact = make_backbone(built.case.config, weights, "float64")
    leave(work, name, weights, run(model, built.inputs), run(exact, built.inputs))


def read_back(folder: Path) -> Any:
    import keras_hub

    return keras_hub.models.BertBackbone.from_preset(str(folder))


def quantised(work: Path, built: drawn.Built) -> None:
    """int8 of the weights alone, which rounds no input; and what npbert refuses."""
    import keras

    from golden.keras_side import make_backbone

    model = make_backbone(built.case.config, built.weights, "float32")
    model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=None))
    model.save_to_preset(str(work / "int8"))
    leave_keras(work, "int8", built, model, dequantised(model))
    for mode in REFUSED:
        model = make_backbone(built.case.config, built.weights, "float32")
        model.quantize(mode)
        model.save_to_preset(str(work / mode))


def dequantised(model: Any) -> Arrays:
    """Each layer's own way back from int8, as in the gradient of its ``_int8_call``."""
    from golden.keras_side import to_numpy

    found: Arrays = {}
    for layer in model._flatten_layers():
        if layer.quantization_mode != "int8":
            continue
        if hasattr(layer, "_embeddings"):
            scale = to_numpy(layer.embeddings_scale)[:, None]
            found[f"{layer.path}/embeddings"] = to_numpy(layer._embeddings) / scale
        elif hasattr(layer, "_kernel"):
            adjust = getattr(layer, "_adjust_scale_for_dequant", lambda scale: scale)
            scale = to_numpy(adjust(layer.kernel_scale))
            found[f"{layer.path}/kernel"] = to_numpy(layer._kernel).astype(np.float32) / scale
    others = {each.path: to_numpy(each) for each in model.weights}
    return {k: a for k, a in others.items() if not k.endswith("_scale")} | {
        key: array.astype(np.float32) for key, array in found.items()
    }


def lora(work: Path, built: drawn.Built) -> None:
    """Saving merges what was trained beside the kernels into them."""
    from golden.keras_side import make_backbone

    model = make_backbone(built.case.config, built.weights, "float32")
    model.enable_lora(2)
    rng = np.random.default_rng(built.case.seed)
    for variable in model.weights:
        if "lora_kernel" in variable.path:
            variable.assign(rng.normal(0, 0.1, variable.shape).astype(np.float32))
    model.save_to_preset(str(work / "lora"))
    leave_keras(work, "lora", built, read_back(work / "lora"))


def legacy(work: Path, built: drawn.Built, model: Any) -> None:
    """The .h5 of Keras before version 3, of a whole model and of weights alone."""
    from keras.src.legacy.saving import legacy_h5_format

    legacy_h5_format.save_model_to_hdf5(model, str(work / "legacy_model.h5"))
    with h5py.File(work / "legacy_weights.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    for name in LEGACY:
        assert loads(work / f"{name}.h5", built), name


def old_layouts(work: Path, built: drawn.Built, model: Any) -> None:
    """Files laid out as older Keras did, and whether this Keras still finds everything in them."""
    model.save_weights(str(work / "now.weights.h5"))
    found: dict[str, bool] = {}
    for name, change in LAYOUTS.items():
        path = work / f"{name}.weights.h5"
        shutil.copy(work / "now.weights.h5", path)
        with h5py.File(path, "a") as file:
            change(file)
        found[name] = loads(path, built)
    (work / "layouts.json").write_text(json.dumps(found))


def loads(path: Path, built: drawn.Built) -> bool:
    """Whether Keras reads all of the case's weights from this file."""
    import keras_hub

    from golden.keras_side import KERAS_FIELDS, to_numpy

    fields = {field: built.case.config[field] for field in KERAS_FIELDS}
    model = keras_hub.models.BertBackbone(**fields)
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape, np.float32))
    try:
        model.load_weights(str(path))
    except ValueError:
        return False
    return all(np.array_equal(to_numpy(v), built.weights[v.path]) for v in model.weights)


def _projections(file: Any) -> None:
    for encoder in [name for name in file["layers"] if name.startswith("transformer_encoder")]:
        attention = file[f"layers/{encoder}/_self_attention_layer"]
        for projection in ("query", "key", "value", "output"):
            attention.move(f"{projection}_dense", f"_{projection}_dense")


def _move(*pairs: tuple[str, str]) -> Callable[[Any], None]:
    def move(file: Any) -> None:
        for old, new in pairs:
            file.move(old, new)

    return move


LAYOUTS: dict[str, Callable[[Any], None]] = {
    "projections": _projections,
    "dependencies": _move(("/layers", "/_layer_checkpoint_dependencies")),
    "private_table": _move(("/layers/reversible_embedding", "/_token_embedding")),
    "attributes": _move(
        ("/layers/reversible_embedding", "/token_embedding"),
        ("/layers/position_embedding", "/position_embedding"),
        ("/layers/embedding", "/segment_embedding"),
        ("/layers/layer_normalization", "/embeddings_layer_norm"),
        ("/layers/dense", "/pooled_dense"),
    ),
    "transformer_layers": _move(
        ("/layers/transformer_encoder", "/transformer_layers/transformer_encoder"),
    ),
}


# -- transformers ----------------------------------------------------------------------------------


def hugging_face_formats(work: Path, seed: int) -> None:
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    built = drawn.build(drawn.hugging_face_cases(seed)[HUGGING_FACE_CASE])
    for name, (kind, dtype, shard) in HUGGING_FACE_FORMATS.items():
        write(work / name, built, kind, getattr(torch, dtype), shard)
        run_directory(work, name, built, pooler=name not in NO_POOLER)


def write(folder: Path, built: drawn.Built, kind: str, dtype: Any, shard: int) -> None:
    """``save_pretrained`` of a model of this class that holds the case's weights."""
    import transformers

    from golden import hugging_face

    fields = built.case.config
    config = hugging_face.make_config(fields, fields["dropout"])
    whole = getattr(transformers, kind)(config)
    model = getattr(whole, "bert", whole)
    state = hugging_face.state_of(built.weights, fields["num_layers"])
    wanted = model.state_dict().keys()
    model.load_state_dict({k: t for k, t in state.items() if k in wanted}, strict=True)
    whole.to(dtype).save_pretrained(folder, max_shard_size=shard)


def run_directory(work: Path, name: str, built: drawn.Built, pooler: bool) -> None:
    """The directory loaded again, in both widths."""
    import torch
    import transformers

    from golden import hugging_face

    inputs = {f"inputs.{each}": array for each, array in built.inputs.items()}
    found = {}
    for width in ("float32", "float64"):
        model = transformers.BertModel.from_pretrained(
            work / name,
            dtype=getattr(torch, width),
            add_pooling_layer=pooler,
            attn_implementation="eager",
        ).eval()
        found[width] = hugging_face.run(model, inputs)
        weights = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    leave(work, name, weights, found["float32"], found["float64"])


def leave(work: Path, name: str, weights: Arrays, single: Arrays, double: Arrays) -> None:
    arrays = {f"weights.{key}": array for key, array in weights.items()}
    arrays |= {f"float32.{key}": array for key, array in single.items()}
    save(work, f"{name}@formats", arrays | {f"float64.{key}": a for key, a in double.items()})


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="You are using a softmax over axis")
    make = {"keras": keras_formats, "hugging_face": hugging_face_formats}[sys.argv[1]]
    make(Path(sys.argv[2]), int(sys.argv[3]))
