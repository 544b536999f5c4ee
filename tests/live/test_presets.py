"""Random models that Keras Hub builds, runs and saves, against npbert from the saved directory."""

from __future__ import annotations

import accuracy
import numpy as np
import pytest
import tolerances
from goldens import OUTPUTS, bits
from live import drawn
from live.peers import KERAS
from ops.bounds import Bounds

from npbert import Backbone, BertBackbone, reference

pytestmark = pytest.mark.live

NAMES = [f"keras_{i}" for i in range(len(drawn.KERAS_SIZES))]


def load(peers, name, backend="tensorflow"):
    return BertBackbone.from_preset(peers.wait(backend) / f"{name}@{backend}")


def in_float64(config, built, **options):
    weights = {name: w.astype(np.float64) for name, w in built.weights.items()}
    return reference.forward(config, weights, **built.inputs, **options)


@pytest.fixture(scope="module")
def errors(peers, cases):
    """By case: {source: {output: (rows, ...) float64}}, what each float32 output is off by."""
    return {name: _errors(peers, name, cases[name]) for name in NAMES}


def _errors(peers, name, built):
    model = load(peers, name)
    exact = in_float64(model.config, built)
    outputs = {"npbert": model(built.inputs)}
    for backend in KERAS:
        found = peers.arrays(backend, name)
        outputs[backend] = {output: found[f"float32.{output}"] for output in OUTPUTS}
    return {
        source: {output: np.float64(each[output]) - exact[output] for output in OUTPUTS}
        for source, each in outputs.items()
    }


def largest(error):
    """Of each input, over both outputs: (rows,)."""
    return np.max([np.abs(e).reshape(len(e), -1).max(axis=1) for e in error.values()], axis=0)


def log_ratio(error, other):
    """The logarithm of the RMS errors' ratio for each output of each input: (2, rows)."""
    return np.log([accuracy.rms(error[o]) / accuracy.rms(other[o]) for o in OUTPUTS])


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
    most = {source: largest(each) for source, each in errors[name].items()}
    worse = np.maximum(*(most[backend] for backend in KERAS))
    allowed = np.maximum(tolerances.ACCURACY_LARGEST * worse, accuracy.FLOOR)
    row = int(np.argmax(most["npbert"] / allowed))
    measured(
        f"{name}: D {cases[name].case.config['hidden_dim']:>3},"
        f" largest error {most['npbert'].max():.2e}"
        f" (tensorflow {most['tensorflow'].max():.2e}, jax {most['jax'].max():.2e}),"
        f" at most {(most['npbert'] / worse).max():.2f} times the worse backend's on any input"
    )
    assert (most["npbert"] <= allowed).all(), (
        f"row {row} ({cases[name].case.masks[row]}) of {cases[name].case.config}:"
        f" {most['npbert'][row]:.3e}, the worse backend {worse[row]:.3e}"
    )


@pytest.mark.parametrize("backend", KERAS)
def test_on_average_no_further_from_float64(errors, backend, measured):
    """As `accuracy` has it: one ratio for each input and output, and their geometric mean."""
    ratios = {name: log_ratio(e["npbert"], e[backend]) for name, e in errors.items()}
    every = np.concatenate(list(ratios.values()), axis=1)
    mean = np.exp(every.mean())
    each = ", ".join(f"{np.exp(ratio.mean()):.2f}" for ratio in ratios.values())
    measured(f"RMS error, npbert / {backend}: {mean:.3f} over {every.shape[1]} inputs ({each})")
    assert every.shape[1] >= 200
    assert mean <= tolerances.ACCURACY_MEAN


@pytest.mark.parametrize("backend", KERAS)
@pytest.mark.parametrize("name", NAMES[:4])
def test_token_embedding(peers, cases, name, backend):
    layer, theirs = load(peers, name).token_embedding, peers.arrays(backend, name)
    ids, table = cases[name].inputs["token_ids"], cases[name].weights["token_embedding/embeddings"]
    np.testing.assert_array_equal(bits(layer(ids)), bits(theirs["token_embedding"]))
    vectors = theirs["float32.sequence_output"]
    bound = Bounds().gemm(vectors, table.T)
    tolerances.assert_within(layer(vectors, reverse=True), np.float64(vectors) @ table.T, bound)
    tolerances.assert_within(layer(vectors, reverse=True), theirs["logits"], 2 * bound)
