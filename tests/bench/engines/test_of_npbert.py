"""npbert as one of the engines."""

from __future__ import annotations

import numpy as np
import pytest
from bench.engines.fakes import setup

import npbert
from npbert.bench import checks, models, works
from npbert.bench.engines import ENGINES
from npbert.bench.engines.of_npbert import Npbert

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("models")
    engine, told = Npbert(), setup(scratch, 1)._replace(model=models.find("tiny", scratch))
    engine.load(told)
    return engine, told


def test_padding_is_skipped(loaded):
    engine, _ = loaded
    (output,) = engine.run(engine.prepare(works.one_batch(works.draw([3, 7], 77, 0))))
    assert output.shape == (2, 7, 48)
    assert not output[0, 3:].any()
    assert output[0, :3].all()


def test_texts_go_through_the_embedder(loaded):
    engine, told = loaded
    engine.load_texts(told)
    expected = npbert.Embedder(told.model, num_threads=1).encode(["ab", "c d"])
    np.testing.assert_array_equal(engine.encode(["ab", "c d"], 2), expected)


def test_weights_of_16_bits(loaded):
    """Their tolerance tells rounding from other numbers."""
    batches = works.one_batch(works.draw([3, 7], 77, 0))
    for name in ("npbert-bfloat16", "npbert-float16"):
        engine = ENGINES[name].make()
        engine.load(loaded[1])
        assert engine.settings()["dtype"] == f"{name.removeprefix('npbert-')}_from_float32"
        (ours,), (rounded,) = (each.run(each.prepare(batches)) for each in (loaded[0], engine))
        far = float(np.abs(ours - rounded).max())
        assert checks.verdict(far) is not None
        assert checks.verdict(far, ENGINES[name].tolerance) is None
        assert checks.verdict(float(np.abs(ours).max()), ENGINES[name].tolerance) is not None


def test_keras_hubs_gelu(loaded):
    engine, told = Npbert(), loaded[1]._replace(activation="gelu_approximate")
    engine.load(told)
    assert engine.settings()["activation"] == "gelu_approximate"
    assert loaded[0].settings()["activation"] == "gelu"
