"""The real libraries read what npbert wrote: ``python -m live.formats_out_worker LIBRARY WORK``.

For every directory and archive in WORK, LIBRARY (``keras`` or ``torch``) leaves the tensors that it
loaded and the outputs that it computes. Keras also leaves archives of its own for npbert to read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from live.peers import load, save

from golden.cases import Arrays

KERAS_PRESETS = ("float32", "float16", "bfloat16", "shards", "float16_shards", "lossy")
TORCH_FOLDERS = ("hf_float32", "hf_float16", "hf_bfloat16", "hf_no_pooler")


def main(library: str, work: Path) -> None:
    if library == "keras":
        read_with_keras(work)
    else:
        read_with_transformers(work)


def read_with_keras(work: Path) -> None:
    import keras
    import keras_hub

    from golden.keras_side import run, to_numpy

    inputs = load(work, "inputs")

    def leave(name: str, model: Any) -> None:
        weights = {f"weights.{v.path}": to_numpy(v).astype(np.float32) for v in model.weights}
        outputs = {name: np.float32(array) for name, array in run(model, inputs).items()}
        save(work, f"{name}@keras", weights | outputs)

    for name in KERAS_PRESETS:
        leave(name, keras_hub.models.BertBackbone.from_preset(str(work / name)))
    model = keras.saving.load_model(work / "model.keras")
    leave("archive", model)
    fresh = keras_hub.models.BertBackbone.from_config(model.get_config())
    fresh.load_weights(str(work / "one.weights.h5"))
    leave("weights", fresh)
    fresh.load_weights(str(work / "several.weights.json"))
    leave("weights_in_shards", fresh)
    fresh.save(str(work / "keras_made.keras"))
    classifier = keras_hub.models.BertTextClassifier(fresh, num_classes=3)
    classifier.save(str(work / "keras_task.keras"))


def read_with_transformers(work: Path) -> None:
    import torch
    import transformers

    from golden import hugging_face

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    inputs: Arrays = {f"inputs.{name}": a for name, a in load(work, "inputs").items()}
    for name in TORCH_FOLDERS:
        pooler = name != "hf_no_pooler"
        model, report = transformers.BertModel.from_pretrained(
            work / name,
            dtype=torch.float32,
            add_pooling_layer=pooler,
            attn_implementation="eager",
            output_loading_info=True,
        )
        wrong = {kind: list(names) for kind, names in report.items() if names}
        assert not wrong, f"{name}: {wrong}"
        state = {f"weights.{k}": t.numpy() for k, t in model.state_dict().items()}
        said = {"dtype": np.array(str(transformers.AutoConfig.from_pretrained(work / name).dtype))}
        save(work, f"{name}@torch", state | said | hugging_face.run(model.eval(), inputs))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
