"""Random models that Keras Hub builds, runs and saves, against npbert from the saved directory."""

from __future__ import annotations

import numpy as np
import pytest
import tolerances
from goldens import OUTPUTS, bits
from live import drawn
from live.peers import KERAS

from npbert import Backbone, BertBackbone, reference

pytestmark = pytest.mark.live

NAMES = [f"keras_{i}" for i in range(len(drawn.KERAS_SIZES))]
TIMES_THE_WORSE_BACKEND = 2.5
FLOOR = 1e-6


def load(peers, name, backend="tensorflow"):
    return BertBackbone.from_preset(peers.wait(backend) / f"{name}@{backend}")


def in_float64(config, built, **options):
    weights = {name: w.astype(np.float64) for name, w in built.weights.items()}
    return reference.forward(config, weights, **built.inputs, **options)


@pytest.fixture(scope="module")
def errors(peers, cases):
    """By case: {source: (rows, values) float64}, what each float32 output is off by."""
    return {name: _errors(peers, name, cases[name]) for name in NAMES}


def _errors(peers, name, built):
    model = load(peers, name)
    exact = in_float64(model.config, built)
    outputs = {"npbert": model(built.inputs)}
    for backend in KERAS:
        found = peers.arrays(backend, name)
        outputs[backend] = {output: found[f"float32.{output}"] for output in OUTPUTS}
    rows = len(built.inputs["token_ids"])

    def off(theirs):
        off = [np.float64(theirs[output]) - exact[output] for output in OUTPUTS]
        return np.concatenate([each.reshape(rows, -1) for each in off], axis=1)

    return {source: off(each) for source, each in outputs.items()}


def rms(error):
    """(rows, values) -> (rows,)."""
    return np.sqrt(np.square(error).mean(axis=1))


@pytest.mark.parametrize("backend", KERAS)
@pytest.mark.parametrize("name", NAMES)
def test_the_directory_holds_the_model(peers, cases, name, backend):
    built, model = cases[name], load(peers, name, backend)
    assert model.config.to_dict() == built.case.config
    found = dict(model.weights())
    assert list(found) == peers.arrays(backend, name)["paths"].tolist()
    for path, tensor in built.weights.items():
        np.testing.assert_array_equal(bits(found[path]), bits(tensor), path)
    assert model.count_params() == peers.arrays(backend, name)["count_params"]


def test_the_base_class_finds_the_class(peers):
    model = Backbone.from_preset(peers.wait("jax") / f"{NAMES[0]}@jax")
    assert type(model) is BertBackbone


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_tensorflow_in_float64(peers, cases, name):
    config, exact = load(peers, name).config, peers.arrays("tensorflow", name)
    rounded = in_float64(config, cases[name], round_constants=lambda c: float(np.float32(c)))
    unrounded = in_float64(config, cases[name])
    for output in OUTPUTS:
        theirs = exact[f"float64.{output}"]
        np.testing.assert_allclose(
            rounded[output], theirs, rtol=0, atol=tolerances.REFERENCE_SAME, err_msg=output
        )
        np.testing.assert_allclose(
            unrounded[output], theirs, rtol=0, atol=tolerances.REFERENCE_CONSTANTS, err_msg=output
        )


@pytest.mark.parametrize("name", NAMES)
def test_no_input_is_far_off(cases, errors, name, measured):
    largest = {source: np.abs(each).max(axis=1) for source, each in errors[name].items()}
    worse = np.maximum(*(largest[backend] for backend in KERAS))
    allowed = np.maximum(TIMES_THE_WORSE_BACKEND * worse, FLOOR)
    ratio = largest["npbert"] / worse
    row = int(np.argmax(largest["npbert"] / allowed))
    measured(
        f"{name}: D {cases[name].case.config['hidden_dim']:>3},"
        f" largest error {largest['npbert'].max():.2e}"
        f" (tensorflow {largest['tensorflow'].max():.2e}, jax {largest['jax'].max():.2e}),"
        f" at most {ratio.max():.2f} times the worse backend's on any input"
    )
    assert (largest["npbert"] <= allowed).all(), (
        f"row {row} ({cases[name].case.masks[row]}) of {cases[name].case.config}:"
        f" {largest['npbert'][row]:.3e}, the worse backend {worse[row]:.3e}"
    )


@pytest.mark.parametrize("backend", KERAS)
def test_npbert_is_closer_to_float64(errors, backend, measured):
    """The geometric mean of (npbert's RMS error / the backend's) over every input."""
    by_case = {name: np.log(rms(e["npbert"]) / rms(e[backend])) for name, e in errors.items()}
    ratios = np.concatenate(list(by_case.values()))
    assert len(ratios) >= 200
    mean = float(np.exp(ratios.mean()))
    each = ", ".join(f"{np.exp(ratio.mean()):.2f}" for ratio in by_case.values())
    measured(f"RMS error, npbert / {backend}: {mean:.3f} over {len(ratios)} inputs ({each})")
    assert mean <= 1.0


@pytest.mark.parametrize("backend", KERAS)
@pytest.mark.parametrize("name", NAMES[:4])
def test_token_embedding(peers, cases, name, backend):
    layer, theirs = load(peers, name).token_embedding, peers.arrays(backend, name)
    ids, table = cases[name].inputs["token_ids"], cases[name].weights["token_embedding/embeddings"]
    np.testing.assert_array_equal(bits(layer(ids)), bits(theirs["token_embedding"]))
    vectors = theirs["float32.sequence_output"]
    bound = tolerances.gemm(vectors, table.T)
    tolerances.assert_within(layer(vectors, reverse=True), np.float64(vectors) @ table.T, bound)
    tolerances.assert_within(layer(vectors, reverse=True), theirs["logits"], 2 * bound)
