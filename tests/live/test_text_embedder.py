"""`BertTextEmbedder` beside Keras Hub's, from presets that either of them saved."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import tolerances
from live.peers import Peers, save
from text.tiny_model import LIMIT, VOCABULARY, WORDS

import npbert
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertTextEmbedderPreprocessor

pytestmark = pytest.mark.live

CASES: dict[str, dict[str, Any]] = {
    f"{mode}, {normalize}": {"pooling_mode": mode, "normalize": normalize}
    for mode, normalize in product(("mean", "cls", "max"), (True, False))
}
TEXTS = ["The river runs", "", "our house near the old Bridge", "unknownword, and more", "a", "e u"]
TEXTS += [" ".join(WORDS)]
POLICIES = ("float16", "bfloat16", "mixed_bfloat16")
MANY = 60  # rows, for a mean ratio of errors that hardly depends on the seed
FAR = 1e-5  # two frameworks in float32, three layers deep


def inputs(seed: int, rows: int = 7) -> dict[str, np.ndarray]:
    """Holes, a masked first token, and a sequence of which nothing is kept."""
    random = np.random.default_rng([seed, 3])
    mask = (random.random((rows, 9)) < 0.6).astype(np.int32)
    mask[0], mask[1], mask[2, :2] = 1, 0, [0, 1]
    return {
        "token_ids": random.integers(0, len(VOCABULARY), (rows, 9)).astype(np.int32),
        "segment_ids": random.integers(0, 2, (rows, 9)).astype(np.int32),
        "padding_mask": mask,
    }


@pytest.fixture(scope="module")
def keras(tmp_path_factory, seed):
    work = tmp_path_factory.mktemp("embedder")
    backbone = npbert.BertBackbone(len(VOCABULARY), 3, 4, 20, 37, max_sequence_length=19, seed=seed)
    tokenizer = BertTokenizer(VOCABULARY, lowercase=True)
    preprocessor = BertTextEmbedderPreprocessor(tokenizer, sequence_length=LIMIT)
    for case, settings in CASES.items():
        BertTextEmbedder(backbone, preprocessor, **settings).save_to_preset(work / case)
    save(work, "inputs", inputs(seed))
    save(work, "many_inputs", inputs(seed, MANY))
    started = Peers(work, seed, {"jax": "live.text_embedder_worker"})
    yield started
    started.stop()


def test_no_further_from_float64_than_keras_hub(keras, seed, measured):
    """In policies of 16 bits, over the texts of which anything is kept."""
    theirs, x, ratios = keras.arrays("jax", "embedder"), inputs(seed, MANY), []
    kept = x["padding_mask"].any(axis=1)
    for policy in POLICIES:
        embedder = BertTextEmbedder.from_preset(keras.work / "mean, True", dtype=policy)
        wide = {name: np.float64(array) for name, array in embedder.backbone.weights()}
        config = embedder.backbone.config
        exact = BertTextEmbedder(npbert.BertBackbone.from_weights(config, wide, dtype="float64"))
        vectors, truth = embedder(x), exact(x)
        alike = embedder.similarity(vectors, vectors)
        assert [vectors.dtype.name, alike.dtype.name] == theirs[f"{policy}.dtypes"].tolist()
        errors = [
            np.square((np.float64(each) - truth)[kept]).mean(axis=1)
            for each in (vectors, theirs[f"{policy}.ids"])
        ]
        ratios.append(np.log(errors[0] / errors[1]) / 2)
        ratio = np.exp(ratios[-1].mean())
        measured(f"BertTextEmbedder in {policy}: {ratio:.2f} of Keras Hub's error")
    assert np.exp(np.mean(ratios)) <= tolerances.ACCURACY_MEAN


@pytest.mark.filterwarnings("ignore:cut 1 of 7 texts")
@pytest.mark.parametrize("again", ["", ", again", ".keras"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_keras_hub(keras, seed, case, again, measured):
    theirs = keras.arrays("jax", "embedder")
    embedder = BertTextEmbedder.from_preset(keras.work / f"{case}{again}")
    assert {name: getattr(embedder, name) for name in CASES[case]} == CASES[case]
    vectors, one = embedder.encode_text(TEXTS), embedder.encode_documents(TEXTS[0])
    ours = {
        "texts": vectors,
        "one": one,
        "ids": embedder(inputs(seed)),
        "similarity": embedder.similarity(vectors, one),
    }
    for what, value in ours.items():
        np.testing.assert_allclose(value, theirs[f"{case}.{what}"], rtol=FAR, atol=FAR)
    far = max(np.abs(ours[name] - theirs[f"{case}.{name}"]).max() for name in ("texts", "one"))
    measured(f"BertTextEmbedder, {case}{again}: {far:.1e} from Keras Hub")
    same = npbert.Embedder(keras.work / f"{case}{again}").encode(TEXTS)
    assert same.tobytes() == vectors.tobytes()
