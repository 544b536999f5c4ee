"""What ``Embedder.encode`` can be asked for: dimensions, prompts, texts that are too long."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from text.tiny_model import CONFIG, LIMIT, WORDS, write_json, write_tiny_model

from npbert import Embedder
from npbert.errors import ConfigError, InputError
from npbert.ops.pooling import l2_normalize

from .expected import LONG, TEXTS, expected, pooled

D = CONFIG.hidden_dim

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """A model with prompts, which its pooling leaves out."""
    directory = write_tiny_model(tmp_path_factory.mktemp("models") / "prompted", normalize=False)
    prompts = {"query": "the river: ", "document": "old ", "far": "past an "}
    write_json(directory / "config_sentence_transformers.json", {"prompts": prompts})
    pooling = {"pooling_mode": ["mean", "weightedmean"], "include_prompt": False}
    write_json(directory / "1_Pooling" / "config.json", pooling)
    return Embedder(directory)


# -- normalisation, dimensions, prompts ------------------------------------------------------------


def test_normalize_embeddings(tmp_path: Path, tiny: Embedder) -> None:
    """As in sentence-transformers: what the model's own modules do is done in any case."""
    plain = Embedder(write_tiny_model(tmp_path, normalize=False))
    raw = plain.encode(TEXTS)
    assert plain.encode(TEXTS, normalize_embeddings=False).tobytes() == raw.tobytes()
    assert plain.encode(TEXTS, normalize_embeddings=True).tobytes() == tiny.encode(TEXTS).tobytes()
    unit = tiny.encode(TEXTS, normalize_embeddings=False)
    assert unit.tobytes() == tiny.encode(TEXTS).tobytes()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    assert (np.linalg.norm(raw, axis=1) > 2).all()


def test_truncate_dim_comes_before_normalize_embeddings(tiny: Embedder) -> None:
    whole = tiny.encode(TEXTS)
    cut = tiny.encode(TEXTS, truncate_dim=7)
    assert cut.tobytes() == np.ascontiguousarray(whole[:, :7]).tobytes()
    unit = tiny.encode(TEXTS, truncate_dim=7, normalize_embeddings=True)
    np.testing.assert_allclose(unit, l2_normalize(np.float64(cut)), rtol=0, atol=1e-6)
    assert tiny.encode(TEXTS, truncate_dim=D).tobytes() == whole.tobytes()


def test_the_models_own_truncate_dim(tmp_path: Path, tiny: Embedder) -> None:
    write_tiny_model(tmp_path)
    write_json(tmp_path / "config_sentence_transformers.json", {"truncate_dim": 6})
    short = Embedder(tmp_path)
    assert short.get_embedding_dimension() == 6
    whole = tiny.encode(TEXTS)
    assert short.encode(TEXTS).tobytes() == np.ascontiguousarray(whole[:, :6]).tobytes()
    assert short.encode(TEXTS, truncate_dim=D).tobytes() == whole.tobytes()


def test_prompts_stand_before_the_text_and_are_left_out_of_the_pooling(prompted: Embedder) -> None:
    modes, prompts = ["mean", "weightedmean"], prompted.prompts
    ids = prompted.tokenizer.encode([prompts["query"] + "our house"], LIMIT).ids[0]
    vector = prompted.encode("our house", prompt_name="query")
    np.testing.assert_allclose(vector, pooled(prompted, ids, modes, skip=4), rtol=0, atol=5e-6)
    assert (prompted.pooling, prompted.get_embedding_dimension()) == ("mean+weightedmean", 2 * D)
    same = prompted.encode("our house", prompt="the river: ")
    assert same.tobytes() == vector.tobytes()
    inside = prompted.encode("the river: our house")
    assert inside.tobytes() != vector.tobytes()
    np.testing.assert_allclose(inside, pooled(prompted, ids, modes), rtol=0, atol=5e-6)


def test_a_prompt_that_becomes_one_word_with_the_text(prompted: Embedder) -> None:
    """Fewer tokens than the prompt alone has: nothing is left to be pooled."""
    assert prompted.token_count(["stonern", "stonernqq"]).tolist() == [5, 3]  # type: ignore[union-attr]
    vector = prompted.encode("qq", prompt="stonern")
    assert vector.tolist() == [0.0] * (2 * D)


def test_queries_and_documents(prompted: Embedder, tiny: Embedder) -> None:
    query = prompted.encode("our house", prompt_name="query")
    document = prompted.encode("our house", prompt_name="document")
    assert prompted.encode_query("our house").tobytes() == query.tobytes()
    assert prompted.encode_document(["our house"])[0].tobytes() == document.tobytes()
    far = prompted.encode("our house", prompt_name="far").tobytes()
    assert prompted.encode_query("our house", prompt_name="far").tobytes() == far
    assert prompted.encode_document("our house", prompt="past an ").tobytes() == far
    assert len({far, query.tobytes(), document.tobytes()}) == 3
    assert tiny.encode_query("our house").tobytes() == tiny.encode("our house").tobytes()


# -- texts that are too long -----------------------------------------------------------------------


def test_one_warning_counts_what_was_cut(tiny: Embedder) -> None:
    words = r"^cut 2 of 3 texts after 11 tokens, the limit of sentence_bert_config\.json: "
    with pytest.warns(UserWarning, match=words + r"inputs\[0, 2\]; the longest has 32;") as caught:
        tiny.encode([LONG, "mill", f"{LONG} {LONG} and a"], batch_size=1)
    with pytest.warns(UserWarning, match="cut 1 of 2 texts") as caught_later:
        list(tiny.encode_iter(["mill", LONG], batch_size=1))
    for found in (caught, caught_later):
        assert len(found) == 1
        assert found[0].filename == __file__


def test_a_warning_where_the_rest_is_not_asked_for(tiny: Embedder) -> None:
    found = tiny.encode_iter([LONG] * 100, batch_size=1)
    next(found)
    with pytest.warns(UserWarning, match="cut 32 of 32 texts"):
        found.close()  # type: ignore[attr-defined]


def test_ignore_and_error(tiny: Embedder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cut = tiny.encode([LONG], on_truncate="ignore")
    np.testing.assert_allclose(cut, expected(tiny, [LONG]), rtol=0, atol=5e-6)
    with pytest.raises(InputError, match=r"longer than the model reads[\s\S]*inputs\[1\]"):
        tiny.encode(["mill", LONG, LONG], on_truncate="error")
    found = tiny.encode_iter(["mill"] * 40 + [LONG], batch_size=1, on_truncate="error")
    with pytest.raises(InputError, match=r"inputs\[40\]"):
        list(found)


@pytest.mark.parametrize("normalize", [True, False])
def test_chunks_are_the_weighted_mean_of_their_vectors(tmp_path: Path, normalize: bool) -> None:
    embedder = Embedder(write_tiny_model(tmp_path, normalize=normalize))
    words = (WORDS * 2)[:23]
    vector = embedder.encode(" ".join(words), on_truncate="chunk")
    windows = [" ".join(words[i : i + LIMIT - 2]) for i in range(0, 23, LIMIT - 2)]
    parts = embedder.encode(windows)
    mean = np.average(np.float64(parts), axis=0, weights=[9, 9, 5])
    definition = l2_normalize(mean[None])[0] if normalize else mean
    np.testing.assert_allclose(vector, definition, rtol=0, atol=1e-6)
    both = embedder.encode(["mill", " ".join(words)], on_truncate="chunk")
    assert both[1].tobytes() == vector.tobytes()
    assert both[0].tobytes() == embedder.encode("mill").tobytes()


def test_chunks_with_a_prompt(prompted: Embedder) -> None:
    words = (WORDS * 2)[:14]
    vector = prompted.encode(" ".join(words), prompt_name="query", on_truncate="chunk")
    windows = [" ".join(words[i : i + 6]) for i in range(0, 14, 6)]
    parts = prompted.encode(windows, prompt_name="query")
    mean = np.average(np.float64(parts), axis=0, weights=[6, 6, 2])
    np.testing.assert_allclose(vector, mean, rtol=0, atol=1e-6)
    with pytest.raises(ConfigError, match="the prompt leaves no room for a text"):
        prompted.encode("mill", prompt="mill " * 9, on_truncate="chunk")
