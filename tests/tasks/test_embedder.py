"""Texts to vectors: against the reference, whatever the batch, in every way of asking."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text.tiny_model import (
    CONFIG,
    LIMIT,
    WORDS,
    write_dense,
    write_json,
    write_modules,
    write_tiny_model,
)

from npbert import Embedder
from npbert.errors import ConfigError, InputTypeError
from npbert.ops.pooling import POOLINGS, l2_normalize

from .expected import LONG, TEXTS, expected

D = CONFIG.hidden_dim

pytestmark = pytest.mark.kernel  # making an Embedder packs weights for the machine's kernels


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tiny(directory: Path) -> Embedder:
    return Embedder(directory, num_threads=2)


@pytest.mark.parametrize("mode", POOLINGS)
@pytest.mark.parametrize("normalize", [True, False])
def test_vectors_are_those_of_the_reference(tmp_path: Path, mode: str, normalize: bool) -> None:
    embedder = Embedder(write_tiny_model(tmp_path, pooling=mode, normalize=normalize))
    vectors = embedder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), D), np.float32)
    tolerance = 5e-6 if normalize or mode != "mean_sqrt_len_tokens" else 2e-5
    np.testing.assert_allclose(vectors, expected(embedder, TEXTS), rtol=0, atol=tolerance)
    assert (embedder.pooling, embedder.normalize) == (mode, normalize)


# -- the same bits, however it is asked ------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_bits_do_not_depend_on_the_company(tiny: Embedder, data: st.DataObject) -> None:
    alone = {text: tiny.encode(text).tobytes() for text in TEXTS}
    texts = data.draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=20))
    sizes = {
        "batch_size": data.draw(st.integers(1, 25)),
        "max_batch_tokens": data.draw(st.integers(1, 100)),
    }
    together = tiny.encode(texts, **sizes)
    assert [vector.tobytes() for vector in together] == [alone[text] for text in texts]
    lazily = tiny.encode_iter(iter(texts), **sizes)
    assert [vector.tobytes() for vector in lazily] == [alone[text] for text in texts]


def test_bits_do_not_depend_on_threads(directory: Path, tiny: Embedder) -> None:
    one = Embedder(directory, num_threads=1).encode(TEXTS)
    assert one.tobytes() == tiny.encode(TEXTS).tobytes()


def test_callers_on_several_threads(tiny: Embedder) -> None:
    expected = tiny.encode(TEXTS).tobytes()
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: tiny.encode(TEXTS, batch_size=3).tobytes(), range(25)))
    assert set(results) == {expected}


# -- what goes in and what comes out ---------------------------------------------------------------


def test_shapes(tiny: Embedder) -> None:
    assert tiny.encode("the mill").shape == (D,)
    assert tiny.encode(["the mill"]).shape == (1, D)
    assert tiny.encode(("a", "mill")).shape == (2, D)
    assert tiny.encode(np.array(["a", "mill", "house"])).shape == (3, D)
    assert tiny.encode(word for word in WORDS).shape == (len(WORDS), D)
    empty = tiny.encode([])
    assert (empty.shape, empty.dtype) == ((0, D), np.float32)


def test_the_vectors_of_tokens(tiny: Embedder) -> None:
    rows = tiny.encode("the river", output_value="token_embeddings")
    assert (rows.shape, rows.dtype) == ((4, D), np.float32)
    several = tiny.encode(["the river", "mill"], output_value="token_embeddings")
    assert [each.shape for each in several] == [(4, D), (3, D)]
    assert several[0].tobytes() == rows.tobytes()
    vectors = l2_normalize(np.array([each.mean(axis=0) for each in several]))
    np.testing.assert_allclose(tiny.encode(["the river", "mill"]), vectors, rtol=0, atol=1e-6)
    lazily = list(tiny.encode_iter(["the river", "mill"], output_value="token_embeddings"))
    assert [each.tobytes() for each in lazily] == [each.tobytes() for each in several]


def test_info_of_each_text(tiny: Embedder) -> None:
    vectors, info = tiny.encode(["mill", LONG], return_info=True, on_truncate="ignore")
    assert vectors.shape == (2, D)
    assert info.n_tokens.tolist() == [3, 16]
    assert info.truncated.tolist() == [False, True]
    assert info.limit == LIMIT
    vector, info = tiny.encode("mill", return_info=True)
    assert (vector.shape, info.n_tokens.tolist()) == ((D,), [3])


def test_token_count(tiny: Embedder) -> None:
    assert tiny.token_count("mill") == 3
    assert tiny.token_count(["mill", LONG, ""]).tolist() == [3, 16, 2]  # type: ignore[union-attr]


# -- lazily ----------------------------------------------------------------------------------------


def test_encode_iter_reads_as_it_goes(tiny: Embedder) -> None:
    read = 0

    def source() -> Iterator[str]:
        nonlocal read
        for i in range(1000):
            read = i + 1
            yield WORDS[i % len(WORDS)]

    vectors = tiny.encode_iter(source(), batch_size=2)
    assert read == 0
    assert next(vectors).shape == (D,)
    assert read == 64
    assert len(list(vectors)) == 999


def test_encode_iter_takes_one_text_and_checks_at_once(tiny: Embedder) -> None:
    (vector,) = tiny.encode_iter("the mill")
    assert vector.tobytes() == tiny.encode("the mill").tobytes()
    with pytest.raises(ConfigError, match="batch_size must be an int"):
        tiny.encode_iter(["the mill"], batch_size=0)
    with pytest.raises(InputTypeError, match="inputs must be a str or a list of str"):
        tiny.encode_iter(3)  # type: ignore[arg-type]


# -- what is refused, and other things -------------------------------------------------------------


def test_an_element_that_is_no_text(tiny: Embedder) -> None:
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*inputs\[2\]"):
        tiny.encode(["a", "mill", None])  # type: ignore[list-item]
    with pytest.raises(InputTypeError, match="BertTextClassifier takes pairs"):
        tiny.encode([("a", "mill")])  # type: ignore[list-item]


@pytest.mark.parametrize("method", ["encode", "encode_query", "encode_document", "encode_iter"])
@pytest.mark.parametrize("name", ["device", "sentences", "convert_to_numpy"])
def test_unknown_keywords_are_errors(tiny: Embedder, method: str, name: str) -> None:
    words = rf"unknown argument '{name}'[\s\S]*Embedder\.{method}\(\.\.\.\)[\s\S]*"
    with pytest.raises(ConfigError, match=words + "inputs, prompt_name, prompt, batch_size"):
        getattr(tiny, method)(**{name: ["a"]})


def test_unknown_keywords_of_the_class(directory: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown argument 'device'[\s\S]*num_threads"):
        Embedder(directory, device="cpu")  # type: ignore[call-arg]


def test_vectors_are_compared_as_the_model_says(tmp_path: Path, tiny: Embedder) -> None:
    write_tiny_model(tmp_path)
    settings = {"similarity_fn_name": "manhattan"}
    write_json(tmp_path / "config_sentence_transformers.json", settings)
    other = Embedder(tmp_path)
    a, b = tiny.encode(TEXTS[:3]), tiny.encode(TEXTS[3:6])
    np.testing.assert_allclose(tiny.similarity(a, b), a @ b.T, rtol=0, atol=1e-6)
    gaps = np.abs(a[:, None] - b).sum(axis=-1)
    np.testing.assert_allclose(other.similarity(a, b), -gaps, rtol=1e-5)
    for embedder in (tiny, other):
        pairs = embedder.similarity_pairwise(a, b)
        assert pairs.tobytes() == np.diagonal(embedder.similarity(a, b)).tobytes()


def test_it_can_be_pickled_with_all_its_modules(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    write_modules(tmp_path, "Dense", "Normalize")
    write_dense(tmp_path / "2_Dense", D, 9)
    embedder = Embedder(tmp_path)
    assert embedder.get_embedding_dimension() == 9
    copied = pickle.loads(pickle.dumps(embedder))
    assert copied.encode(TEXTS).tobytes() == embedder.encode(TEXTS).tobytes()


def test_neither_h5py_nor_scipy_is_imported(directory: Path) -> None:
    """Numba looks at scipy's version by itself; npbert adds nothing to what that loads."""
    code = (
        "import sys, numba; loaded = set(sys.modules); from npbert import Embedder;"
        f"Embedder({str(directory)!r}).encode('the mill');"
        "new = {name.partition('.')[0] for name in set(sys.modules) - loaded};"
        "sys.exit(', '.join(new & {'h5py', 'scipy', 'typer', 'huggingface_hub', 'torch'}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_large_batch_is_quiet(tiny: Embedder, capfd: pytest.CaptureFixture[str]) -> None:
    tiny.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.encode(TEXTS * 30, batch_size=1000)
    assert capfd.readouterr() == ("", "")
