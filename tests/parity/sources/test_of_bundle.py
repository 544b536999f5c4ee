"""Bundles as sources."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import GOLDEN

from npbert.errors import ConfigError, InputError, ModelFileError
from npbert.parity.bundle import Bundle, load_bundle, save_bundle
from npbert.parity.sources import open_source
from npbert.parity.sources.of_bundle import BundleSource, sources_in

IDS = np.int32([[1, 2, 3], [4, 5, 0]])
INPUTS = {"token_ids": IDS, "segment_ids": 0 * IDS, "padding_mask": 0 * IDS + 1}
ARRAYS = {
    **{f"inputs.{name}": array for name, array in INPUTS.items()},
    "mine.sequence_output": np.ones((2, 3, 5), np.float32),
    "mine.text.vector": np.ones((1, 5), np.float32),
    "rms_error.mine": np.ones(1),
}


@pytest.mark.parametrize("ending", ["", ".json", ".safetensors"])
def test_a_golden(ending):
    golden = load_bundle(GOLDEN / "deep")
    source = open_source(f"bundle:{GOLDEN / 'deep'}{ending}#tf64")
    assert source.config is not None
    assert source.config.to_dict() == golden.meta["config"]
    assert source.recorded is not None
    stages = source.run(source.recorded)
    assert stages.keys() == golden.group("tf64").keys()
    np.testing.assert_array_equal(stages["layer.1.probs"], golden.arrays["tf64.layer.1.probs"])
    weights = source.weights()
    assert weights is not None
    assert weights.keys() == golden.group("weights").keys()
    assert source.environment["keras-hub"] == golden.meta["provenance"]["versions"]["keras-hub"]
    assert source.environment["seed"] == "104"
    assert source.tokenize(["a"]) is None


def test_several_sources():
    with pytest.raises(ConfigError, match=r"several sources[^$]*jax32, tf32, tf64[^$]*deep#jax32"):
        open_source(f"bundle:{GOLDEN / 'deep'}")
    with pytest.raises(ConfigError, match=r"unknown source of the bundle 'tf23'[^$]*'tf32'"):
        open_source(f"bundle:{GOLDEN / 'deep'}#tf23")


def test_texts_and_what_has_no_config():
    source = BundleSource(Bundle({"texts": ["one"], "environment": {"cpu": "x"}}, ARRAYS))
    assert list(source.run(INPUTS)) == ["sequence_output"]
    found = source.encode(["one"])
    assert found is not None
    assert list(found) == ["text.vector"]
    assert source.encode(["another"]) is None
    assert source.config is source.weights() is None
    assert source.environment == {"cpu": "x"}


TOKENS = {"ids": [[1], [2, 3]], "tokens": [["a"], ["b", "c"]], "offsets": [[[0, 1]], [[0, 1]] * 2]}
TEXTS = {"texts": ["one", "two"]}
VECTORS = {**ARRAYS, "mine.text.vector": np.float32([[1], [2]])}


def test_tokens_and_vectors_of_some_texts():
    source = BundleSource(Bundle({**TEXTS, "tokens": TOKENS}, VECTORS))
    assert source.texts == ["one", "two"]
    found, vectors = source.tokenize(["two", "one", "two"]), source.encode(["two"])
    assert found is not None
    assert vectors is not None
    assert found.ids == [[2, 3], [1], [2, 3]]
    assert found.offsets == [[(0, 1), (0, 1)], [(0, 1)], [(0, 1), (0, 1)]]
    assert found.segment_ids is None
    np.testing.assert_array_equal(vectors["text.vector"], [[2]])


@pytest.mark.parametrize(
    ("meta", "arrays"),
    [
        ({**TEXTS, "tokens": 3}, ARRAYS),
        ({**TEXTS, "tokens": {"ids": [[1], [2]]}}, VECTORS),
        ({**TEXTS, "tokens": {**TOKENS, "ids": [[1]]}}, VECTORS),
        ({**TEXTS, "tokens": {**TOKENS, "offsets": [[0], [1]]}}, VECTORS),
        ({**TEXTS, "tokens": TOKENS}, ARRAYS),
        ({"texts": "ab"}, VECTORS),
        ({"texts": [1, 2]}, VECTORS),
    ],
)
def test_tokens_and_vectors_of_other_texts(meta, arrays):
    with pytest.raises(ModelFileError, match="tokens or vectors are not those of its texts"):
        BundleSource(Bundle(meta, arrays))


def test_vectors_without_inputs():
    source = BundleSource(Bundle(TEXTS, {"mine.text.vector": VECTORS["mine.text.vector"]}))
    assert source.recorded is None
    assert source.run(INPUTS) == {}


def test_other_inputs_than_the_recorded():
    source = BundleSource(Bundle({}, ARRAYS))
    with pytest.raises(InputError, match="only the inputs that it was made with"):
        source.run({**INPUTS, "token_ids": IDS + 1})


def test_bundles_of_something_else(tmp_path):
    inputs = {name: array for name, array in ARRAYS.items() if name.startswith("inputs.")}
    with pytest.raises(ModelFileError, match=r"no stages of a run[^$]*received: no stages"):
        BundleSource(Bundle({}, inputs))
    with pytest.raises(ModelFileError, match=r"received: inputs none"):
        BundleSource(Bundle({}, {"mine.sequence_output": ARRAYS["mine.sequence_output"]}))
    assert sources_in(Bundle({}, {"accuracy.tf32.sequence_output": IDS})) == []
    save_bundle(tmp_path / "x", Bundle({}, ARRAYS))
    (tmp_path / "x.safetensors").write_bytes(b"{}")
    with pytest.raises(ModelFileError, match="not the ones its JSON describes"):
        open_source(f"bundle:{tmp_path / 'x'}")


def test_tolerances():
    meta = {"tolerances": {"sequence_output": [1e-5, None], "text.vector": [2e-6, 1e-6]}}
    assert BundleSource(Bundle(meta, ARRAYS)).tolerances == {
        "sequence_output": (1e-5, None),
        "text.vector": (2e-6, 1e-6),
    }
    much = [[1, np.inf], [np.nan, None], [-1, None], ["much", None], 1]
    for broken in ([1], *({"sequence_output": each} for each in much)):
        with pytest.raises(ModelFileError, match="the bundle's tolerances cannot be read"):
            BundleSource(Bundle({"tolerances": broken}, ARRAYS))
