"""The toy BERT: trained by Keras Hub's BertMaskedLM, and what real Keras computes with it.

    python -m golden.toy [--into DIR]    train it, and replace ``npbert/teaching/toy``

Training takes four minutes on two cores. Another machine's sums round otherwise, so it learns
slightly other weights there. The bundle ``golden/toy`` is made of the committed ones, by
`golden.generate`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from golden.bundles import collect, new_bundle, provenance, write_bundle, write_part
from golden.cases import Arrays
from golden.toy_grammar import TOPICS, VOCABULARY, Text, texts

NAME = "toy"
DATA = Path(__file__).resolve().parents[1] / "npbert" / "teaching" / "toy"

SEED = 1805
CONFIG = {
    "vocabulary_size": len(VOCABULARY),
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 40,
    "dropout": 0.01,  # none at all, and Keras's fused attention would show no scores
    "max_sequence_length": 24,
    "num_segments": 2,
}
TEXTS = 40_000
EPOCHS = 16
BATCH = 64
RATE = 4e-3
POOLER_RATE = 1e-2

SENTENCES: tuple[tuple[str, str | None], ...] = (
    ("the river bank", None),
    ("she put money in the bank.", None),
    ("the old dogs near the river bank are wet.", None),
    ("he sat on the bank of the river.", "it is green."),
    ("the banker is rich.", "the dog barks at the shop."),
)
"""What the bundle is of."""

TOKENS = 17
"""T: the longest of them, and nothing cut."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m golden.toy", description=__doc__)
    parser.add_argument("--into", type=Path, default=DATA, metavar="DIR")
    into = parser.parse_args().into
    os.environ |= {
        "KERAS_BACKEND": "jax",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    train(into)


def train(into: Path) -> None:
    """Train the masked LM, then the pooler, and save the preset and where it comes from."""
    import keras

    keras.utils.set_random_seed(SEED)
    preprocessor, model = new_preprocessor(), new_model()
    learnt, held_out = texts(TEXTS, SEED), texts(2_000, SEED + 1)
    before = measure(model, preprocessor, held_out)
    train_words(model, preprocessor, learnt)
    after = measure(model, preprocessor, held_out)
    pooler = train_pooler(model.backbone, learnt[:8_000], held_out)
    into.mkdir(parents=True, exist_ok=True)
    bare = new_model(model.backbone, preprocessor)  # without the optimizer's numbers
    bare.set_weights(model.get_weights())
    bare.save_to_preset(str(into))
    metadata = json.loads((into / "metadata.json").read_text())
    metadata["date_saved"] = "2026-01-01@00:00:00"  # the day would make every run another file
    (into / "metadata.json").write_text(json.dumps(metadata, indent=4))
    story = provenance(SEED) | recipe() | {"before": before, "after": after, "pooler": pooler}
    (into / "provenance.json").write_text(json.dumps(story, indent=2) + "\n")
    print(json.dumps(story, indent=2))


def new_preprocessor() -> Any:
    """Texts to token ids, a quarter of which are hidden; "[MASK]" in a text is the token."""
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer(
        list(VOCABULARY), lowercase=True, special_tokens_in_strings=True
    )
    return keras_hub.models.BertMaskedLMPreprocessor(
        tokenizer,
        sequence_length=CONFIG["max_sequence_length"],
        mask_selection_rate=0.25,
        mask_selection_length=6,
    )


def new_model(backbone: Any = None, preprocessor: Any = None) -> Any:
    """A BertMaskedLM that is not compiled; of an untrained backbone, unless there is one."""
    import keras_hub

    backbone = backbone or keras_hub.models.BertBackbone(**CONFIG)
    return keras_hub.models.BertMaskedLM(backbone, preprocessor)


def train_words(model: Any, preprocessor: Any, learnt: list[Text]) -> None:
    """Guessing hidden words, each epoch with other words hidden."""
    import keras

    steps = EPOCHS * (len(learnt) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=RATE, warmup_steps=steps // 20
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    for epoch in range(EPOCHS):
        x, y, weight = hidden(preprocessor, learnt)
        found = model.fit(x, y, sample_weight=weight, batch_size=BATCH, verbose=0)
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {found.history['loss'][0]:.4f}", flush=True)


def hidden(preprocessor: Any, some: list[Text]) -> tuple[Arrays, Any, Any]:
    """The texts as inputs, hidden ids and weights: single sentences first, then pairs."""
    pairs = [(text.first, text.second) for text in some if text.second is not None]
    parts = [
        preprocessor([text.first for text in some if text.second is None]),
        # Without y=, Keras Hub takes a tuple of two for texts and their labels.
        preprocessor(tuple(map(list, zip(*pairs))), y=None),
    ]
    x = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    return x, *(np.concatenate([np.asarray(part[i]) for part in parts]) for i in (1, 2))


def measure(model: Any, preprocessor: Any, held_out: list[Text]) -> dict[str, float]:
    """Loss in nats and accuracy over the hidden words of texts that were drawn anew."""
    x, y, weight = hidden(preprocessor, held_out)
    logits = np.asarray(model.predict(x, batch_size=500, verbose=0), np.float64)
    logits -= logits.max(-1, keepdims=True)
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))  # (B, M, V)
    loss = -np.take_along_axis(logarithms, y[:, :, None], axis=-1)[:, :, 0]
    right = logits.argmax(-1) == y
    return {
        "loss": round(float((loss * weight).sum() / weight.sum()), 4),
        "accuracy": round(float((right * weight).sum() / weight.sum()), 4),
    }


def train_pooler(backbone: Any, learnt: list[Text], held_out: list[Text]) -> dict[str, float]:
    """Masked words never reach the pooler: it learns the topic, the rest of the model held still.

    Returns:
        The topic classifier's accuracy on texts that were drawn anew. Its last layer is not kept.
    """
    import keras
    import keras_hub

    layers = [layer for layer in backbone.layers if layer.name != "pooled_dense"]
    for layer in layers:
        layer.trainable = False
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(list(VOCABULARY), lowercase=True),
        sequence_length=CONFIG["max_sequence_length"],
    )
    classifier = keras_hub.models.BertTextClassifier(backbone, len(TOPICS), dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(POOLER_RATE), loss, metrics=["accuracy"])
    ids = {
        name: np.array([TOPICS.index(t.topic) for t in some])
        for name, some in (("learnt", learnt), ("held_out", held_out))
    }
    x = {
        name: preprocessor([t.first for t in some])
        for name, some in (("learnt", learnt), ("held_out", held_out))
    }
    classifier.fit(x["learnt"], ids["learnt"], batch_size=BATCH, epochs=3, verbose=0)
    accuracy = classifier.evaluate(x["held_out"], ids["held_out"], verbose=0, return_dict=True)
    for layer in layers:
        layer.trainable = True
    return {"accuracy": round(float(accuracy["accuracy"]), 4)}


def recipe() -> dict[str, Any]:
    """How the weights are made."""
    return {
        "command": "python -m golden.toy",
        "threads": os.cpu_count(),
        "grammar": "golden/toy_grammar.py",
        "texts": TEXTS,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "steps": EPOCHS * (TEXTS // BATCH),
        "learning_rate": RATE,
    }


# -- what Keras computes with it -------------------------------------------------------------------


def run_keras(work: Path, source: str, dtype: str) -> None:
    """Leave this source's part of the bundle: every stage, and the head's logits."""
    import keras_hub

    from golden.keras_side import attach, check_dtypes, run_stages, to_numpy

    model = keras_hub.models.BertMaskedLM.from_preset(str(DATA), dtype=dtype)
    inputs = inputs_of(model.preprocessor.tokenizer)
    stages = run_stages(model.backbone, attach(model.backbone), inputs)
    if source == "jax32":  # one backend's stages will do
        stages = {name: stages[name] for name in ("sequence_output", "pooled_output")}
    stages["logits"] = to_numpy(model({**inputs, "mask_positions": places(inputs)}))
    check_dtypes(stages, dtype)
    write_part(work, NAME, source, {f"{source}.{k}": a for k, a in stages.items()})
    if source == "tf32":
        given = {f"inputs.{name}": np.int32(array) for name, array in inputs.items()}
        given["inputs.mask_positions"] = places(inputs)
        weights = {f"weights.{v.path}": to_numpy(v) for v in model.weights}
        write_part(work, NAME, "given", given | weights)


def inputs_of(tokenizer: Any) -> Arrays:
    """The sentences as Keras packs them, (B, T) each."""
    import keras_hub

    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, TOKENS)
    rows = [
        preprocessor(first if second is None else (first, second), y=None)
        for first, second in SENTENCES
    ]
    return {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}


def places(inputs: Arrays) -> Any:
    """Columns to guess, (B, M): the second, and the last before [SEP]."""
    last = np.asarray(inputs["padding_mask"]).sum(axis=1) - 2
    return np.stack([np.full_like(last, 1), last], axis=1).astype(np.int32)


def write_toy(work: Path) -> None:
    """The bundle, from the parts that the workers left."""
    bundle = new_bundle(
        NAME,
        "the toy BERT on five texts; mask_positions and logits are of its masked-LM head",
        CONFIG | {"activation": "gelu_approximate", "layer_norm_epsilon": 1e-12},
        collect(work, NAME),
        seed=None,
        masks=["ragged"] * len(SENTENCES),
        directory="npbert/teaching/toy",
        texts=[list(texts) for texts in SENTENCES],
    )
    write_bundle(work / "out" / NAME, bundle)


if __name__ == "__main__":
    main()
