"""Keras Hub in the matrix of formats: ``python -m live.formats_keras tensorflow WORK SEED``.

Leaves every file of its rows in WORK, whoever writes it, and what Keras Hub has of it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from live import formats_npbert as ours
from live.drawn import Built
from live.formats import KERAS_HUB, NPBERT, STORED, Format, Read, Write, leave, rows, run
from weights.model_files import change_json

from golden.cases import Arrays
from npbert.dtype_policy import get

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fox"]


def main(work: Path, seed: int) -> None:
    for row in FORMATS:
        model = run(work, row, seed)
        if row.ending == KERAS and row.dtype in STORED:
            assert model.dtype_policy.name == get(row.dtype).in_keras.name, row.name
        if not row.refused:
            leave(work, row, *numbers_of(model, row.drawn(seed).inputs))


# -- models ----------------------------------------------------------------------------------------


def make(built: Built, dtype: str) -> Any:
    """The drawn model in this policy, quantised, or trained a little with LoRA."""
    import keras

    from golden.keras_side import make_backbone

    quantised = dtype in ("int8", "int4", "float8")
    policy = "float32" if quantised or dtype == "lora" else dtype
    model = make_backbone(built.case.config, built.weights, policy)
    if dtype == "int8":  # of the weights alone, which rounds no input
        model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=None))
    elif quantised:
        model.quantize(dtype)
    elif dtype == "lora":
        train_lora(model, built.case.seed)
    return model


def train_lora(model: Any, seed: int) -> None:
    model.enable_lora(2)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "lora_kernel" in variable.path:
            variable.assign(rng.normal(0, 0.1, variable.shape).astype(np.float32))


def weights_of(model: Any) -> Arrays:
    """In float32. From int8 each layer has its own way, as in its ``_int8_call``'s gradient."""
    from golden.keras_side import to_numpy

    found = {each.path: np.float32(to_numpy(each)) for each in model.weights}
    for layer in model._flatten_layers():
        if layer.quantization_mode != "int8":
            continue
        if hasattr(layer, "_embeddings"):
            scale = to_numpy(layer.embeddings_scale)[:, None]
            found[f"{layer.path}/embeddings"] = np.float32(to_numpy(layer._embeddings)) / scale
        elif hasattr(layer, "_kernel"):
            adjust = getattr(layer, "_adjust_scale_for_dequant", lambda scale: scale)
            scale = to_numpy(adjust(layer.kernel_scale))
            found[f"{layer.path}/kernel"] = np.float32(to_numpy(layer._kernel)) / scale
    return {k: a for k, a in found.items() if not k.endswith("_scale") and "lora_" not in k}


def numbers_of(model: Any, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """Weights and outputs, in float32 also where the model would compute in another width."""
    from golden import keras_side

    weights = weights_of(model)
    if model.compute_dtype != "float32":
        model = keras_side.make_backbone(model.get_config(), weights, "float32")
    return weights, keras_side.run(model, inputs)


# -- writing ---------------------------------------------------------------------------------------


def preset(path: Path, built: Built, dtype: str, shards: bool = False) -> Any:
    model = make(built, dtype)
    model.save_to_preset(str(path), max_shard_size=shard_size(model) if shards else 10)
    return model


def weights(path: Path, built: Built, dtype: str, shards: bool = False) -> Any:
    model = make(built, dtype)
    model.save_weights(str(path), max_shard_size=shard_size(model) if shards else None)
    return model


def shard_size(model: Any) -> float:
    """In GiB: room for the largest variable, which leaves some layers in two files."""
    from golden.keras_side import to_numpy

    return 1.1 * max(to_numpy(each).nbytes for each in model.weights) / 2**30


def archive(path: Path, built: Built, dtype: str, zipped: bool = True) -> Any:
    model = make(built, dtype)
    model.save(str(path), zipped=zipped)
    return model


def task(path: Path, built: Built, dtype: str, name: str, **options: Any) -> None:
    """A task around the model, its optimizer ready: that keeps two more numbers for each weight."""
    from keras_hub import models

    tokenizer = models.BertTokenizer(vocabulary=VOCABULARY)
    preprocessor = getattr(models, f"{name}Preprocessor")(tokenizer, sequence_length=5)
    whole = getattr(models, name)(make(built, dtype), preprocessor=preprocessor, **options)
    if getattr(whole, "optimizer", None) is not None:
        whole.optimizer.build(whole.trainable_variables)
    save = whole.save if path.suffix == ".keras" else whole.save_to_preset
    save(str(path))


def reworded(path: Path, built: Built, dtype: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """A preset directory whose config.json says it as KerasNLP did."""
    preset(path, built, dtype)
    change_json(path / "config.json", change)


def without_dtype(raw: dict[str, Any]) -> None:
    raw |= {"module": "keras_nlp.src.models.bert.bert_backbone", "assets": ["tokenizer.json"]}
    raw |= {"registered_name": "keras_nlp>BertBackbone", "weights": "model.weights.h5"}
    del raw["config"]["dtype"]


def plain_dtype(raw: dict[str, Any]) -> None:
    raw["registered_name"] = "keras_nlp>BertBackbone"
    raw["config"]["dtype"] = "float32"


def legacy(path: Path, built: Built, dtype: str, whole: bool) -> None:
    """The .h5 of Keras before version 3, of a whole model or of weights alone."""
    from keras.src.legacy.saving import legacy_h5_format

    if whole:
        legacy_h5_format.save_model_to_hdf5(make(built, dtype), str(path))
        return
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, make(built, dtype))


def relaid(path: Path, built: Built, dtype: str, change: Callable[[Any], None]) -> None:
    """A weights file laid out as older Keras did."""
    weights(path, built, dtype)
    with h5py.File(path, "a") as file:
        change(file)


def moved(*pairs: tuple[str, str]) -> Write:
    def change(file: Any) -> None:
        for old, new in pairs:
            file.move(old, new)

    return partial(relaid, change=change)


def projections(file: Any) -> None:
    for encoder in [name for name in file["layers"] if name.startswith("transformer_encoder")]:
        attention = file[f"layers/{encoder}/_self_attention_layer"]
        for projection in ("query", "key", "value", "output"):
            attention.move(f"{projection}_dense", f"_{projection}_dense")


# -- reading ---------------------------------------------------------------------------------------


def from_preset(path: Path, _: Built, **options: Any) -> Any:
    from keras_hub.models import BertBackbone

    return BertBackbone.from_preset(str(path), **options)


def from_transformers(path: Path, built: Built) -> Any:
    """The converter does not read the number of segments."""
    return from_preset(path, built, num_segments=built.case.config["num_segments"])


def in_a_task(path: Path, _: Built) -> Any:
    from keras_hub.models import BertTextClassifier

    return BertTextClassifier.from_preset(str(path), num_classes=3, preprocessor=None).backbone


def load_model(path: Path, _: Built) -> Any:
    import keras

    model = keras.saving.load_model(str(path))
    return getattr(model, "backbone", model)


def load_weights(path: Path, built: Built, dtype: str = "float32") -> Any:
    """Into a model that has other weights."""
    model = make(built._replace(weights={k: 0 * a for k, a in built.weights.items()}), dtype)
    model.load_weights(str(path))
    return model


def refuses(path: Path, built: Built) -> None:
    """Keras does not find the layers either."""
    try:
        load_weights(path, built)
    except ValueError as error:
        said = str(error)
    else:
        said = "nothing"
    assert "could not be loaded" in said


# -- rows ------------------------------------------------------------------------------------------

theirs = partial(rows, KERAS_HUB, NPBERT)
npbert = partial(rows, NPBERT, KERAS_HUB)

WIDTHS = "float32 float16 bfloat16"
H5, JSON, KERAS = ".weights.h5", ".weights.json", ".keras"
INT8 = {"says": "holds int8 weights"}
NESTED = ("/layers/transformer_encoder", "/transformer_layers/transformer_encoder")
ATTRIBUTES = (
    ("/layers/reversible_embedding", "/token_embedding"),
    ("/layers/position_embedding", "/position_embedding"),
    ("/layers/embedding", "/segment_embedding"),
    ("/layers/layer_normalization", "/embeddings_layer_norm"),
    ("/layers/dense", "/pooled_dense"),
)
PRESET_SHARDS, WEIGHT_SHARDS = partial(preset, shards=True), partial(weights, shards=True)
KERAS_NLP_07 = partial(reworded, change=without_dtype)
KERAS_NLP = partial(reworded, change=plain_dtype)
CLASSIFIER = partial(task, name="BertTextClassifier", num_classes=3)
MASKED_LM = partial(task, name="BertMaskedLM")
EMBEDDER = partial(task, name="BertTextEmbedder")


def layout(about: str, write: Write, read: Read = load_weights, refused: str = "") -> list[Format]:
    return theirs(f"weights, {about}", "float32", write, read, H5, refused=refused)


FORMATS = [
    *theirs("preset", f"{WIDTHS} float64 mixed_float16 mixed_bfloat16 lora", preset, from_preset),
    *theirs("preset", "int8", preset, **INT8),
    *theirs("preset", "int4", preset, refused="int4 weights are not read"),
    *theirs("preset", "float8", preset, refused="float8 weights are not read"),
    *theirs("preset in shards", WIDTHS, PRESET_SHARDS, from_preset),
    *theirs("preset in shards", "int8", PRESET_SHARDS, **INT8),
    *theirs("preset of a task", "float32", CLASSIFIER, from_preset),
    *theirs("preset, dropout 0", "float32", preset, from_preset, changes={"dropout": 0.0}),
    *theirs("preset of KerasNLP 0.7", "float32", KERAS_NLP_07, from_preset),
    *theirs("preset of KerasNLP", "float32", KERAS_NLP, from_preset),
    *theirs("weights", f"{WIDTHS} float64 lora", weights, load_weights, H5),
    *theirs("weights", "int8", weights, ending=H5, **INT8),
    *theirs("weights in shards", WIDTHS, WEIGHT_SHARDS, load_weights, JSON),
    *theirs("archive", f"{WIDTHS} float64 lora", archive, load_model, KERAS),
    *theirs("archive", "int8", archive, ending=KERAS, **INT8),
    *theirs("archive, a directory", "float32", partial(archive, zipped=False), load_model),
    *theirs("archive of a classifier", "float32", CLASSIFIER, load_model, KERAS),
    *theirs("archive of a masked LM", "float32", MASKED_LM, load_model, KERAS),
    *theirs("archive of an embedder", "float32", EMBEDDER, load_model, KERAS),
    *theirs("legacy model", "float32", partial(legacy, whole=True), load_weights, ".h5"),
    *theirs("legacy weights", "float32", partial(legacy, whole=False), load_weights, ".h5"),
    *layout("private projections", partial(relaid, change=projections)),
    *layout("layer dependencies", moved(("/layers", "/_layer_checkpoint_dependencies"))),
    *layout("private table", moved(("/layers/reversible_embedding", "/_token_embedding"))),
    *layout("attributes", moved(*ATTRIBUTES)),
    *layout("transformer_layers", moved(NESTED), refuses, "16 tensors are missing"),
    *npbert("preset", WIDTHS, ours.preset, from_preset),
    *npbert("preset, lossy", "float32", ours.lossy_preset, from_preset),
    *npbert("preset for a task", "float32", ours.preset, in_a_task),
    *npbert("preset in shards", WIDTHS, partial(ours.preset, shards=True), from_preset),
    *npbert("weights", WIDTHS, ours.weights, load_weights, H5),
    *npbert("weights for LoRA", "float32", ours.weights, partial(load_weights, dtype="lora"), H5),
    *npbert("weights in shards", WIDTHS, partial(ours.weights, shards=True), load_weights, JSON),
    *npbert("archive", WIDTHS, ours.archive, load_model, KERAS),
    *npbert("archive in a policy", ours.POLICIES, ours.archive_in, load_model, KERAS),
    *npbert("archive for load_weights", "float32", ours.archive, load_weights, KERAS),
    *npbert("model.safetensors", "float32", ours.transformers, from_transformers),
]

if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="You are using a softmax over axis")
    main(Path(sys.argv[2]), int(sys.argv[3]))
