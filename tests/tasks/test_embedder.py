"""Texts to vectors: against the reference, whatever the batch, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text.tiny_model import BAKED, CONFIG, LIMIT, WORDS, write_json, write_tiny_model

from npbert import BertBackbone, Embedder, reference
from npbert.errors import ConfigError, InputError, InputTypeError, ModelFileError
from npbert.ops import pooling
from npbert.tasks import embedder as module

TEXTS = [
    *("the river runs", "", "our house near the old bridge", "a", "mill stone mill stone mill"),
    *("past", "the old mill and the river", "unknownword, and more"),
]
LONG = " ".join(WORDS)  # 14 tokens of its own
D = CONFIG.hidden_dim

pytestmark = pytest.mark.kernel  # making an Embedder packs weights for the machine's kernels


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tiny(directory: Path) -> Embedder:
    return Embedder(directory, num_threads=2)


def expected(embedder: Embedder, texts: list[str]) -> np.ndarray:  # (B, D) float64
    """The vectors by the definitions of `npbert.ops`, one text at a time."""
    weights = {name: w.astype(np.float64) for name, w in embedder.backbone.weights()}
    pool = {"mean": pooling.mean_pool, "max": pooling.max_pool, "cls": lambda x, starts: x[:1]}
    vectors: list[np.ndarray] = []
    for ids in embedder.tokenizer.encode(texts, embedder.max_seq_length).ids:
        batch = ids[None]
        states = reference.forward(CONFIG, weights, batch, 0 * batch, 0 * batch + 1)
        rows = states["sequence_output"][0]
        vectors.append(pool[embedder.pooling](rows, np.array([0, len(rows)]))[0])
    stacked = np.array(vectors)
    return pooling.l2_normalize(stacked) if embedder.normalize else stacked


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [True, False])
def test_vectors_are_those_of_the_reference(tmp_path: Path, mode: str, normalize: bool) -> None:
    embedder = Embedder(write_tiny_model(tmp_path, pooling=mode, normalize=normalize))
    vectors = embedder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), D), np.float32)
    np.testing.assert_allclose(vectors, expected(embedder, TEXTS), rtol=0, atol=5e-6)
    assert (embedder.pooling, embedder.normalize) == (mode, normalize)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_bits_do_not_depend_on_the_company(tiny: Embedder, data: st.DataObject) -> None:
    alone = {text: tiny.encode(text).tobytes() for text in TEXTS}
    texts = data.draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=20))
    together = tiny.encode(texts, batch_size=data.draw(st.integers(1, 25)))
    assert [vector.tobytes() for vector in together] == [alone[text] for text in texts]


def test_bits_do_not_depend_on_threads(directory: Path, tiny: Embedder) -> None:
    one = Embedder(directory, num_threads=1).encode(TEXTS)
    assert one.tobytes() == tiny.encode(TEXTS).tobytes()


def test_callers_on_several_threads(tiny: Embedder) -> None:
    expected = tiny.encode(TEXTS).tobytes()
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: tiny.encode(TEXTS, batch_size=3).tobytes(), range(25)))
    assert set(results) == {expected}


def test_shapes(tiny: Embedder) -> None:
    assert tiny.encode("the mill").shape == (D,)
    assert tiny.encode(["the mill"]).shape == (1, D)
    assert tiny.encode(("a", "mill")).shape == (2, D)
    assert tiny.encode(np.array(["a", "mill", "house"])).shape == (3, D)
    assert tiny.encode(word for word in WORDS).shape == (len(WORDS), D)
    assert tiny.get_embedding_dimension() == D


def test_no_texts(tiny: Embedder) -> None:
    empty = tiny.encode([])
    assert (empty.shape, empty.dtype) == ((0, D), np.float32)


def test_normalize_embeddings(tmp_path: Path, tiny: Embedder) -> None:
    plain = Embedder(write_tiny_model(tmp_path, normalize=False))
    raw = plain.encode(TEXTS)
    assert tiny.encode(TEXTS, normalize_embeddings=False).tobytes() == raw.tobytes()
    assert plain.encode(TEXTS, normalize_embeddings=True).tobytes() == tiny.encode(TEXTS).tobytes()
    np.testing.assert_allclose(np.linalg.norm(tiny.encode(TEXTS), axis=1), 1, atol=1e-6)
    assert (np.linalg.norm(raw, axis=1) > 2).all()


def test_activation_is_the_models_unless_replaced(directory: Path, tiny: Embedder) -> None:
    tanh = Embedder(directory, activation="gelu_approximate")
    assert tiny.backbone.config.activation == "gelu"
    assert tanh.backbone.config.activation == "gelu_approximate"
    assert 0 < np.abs(tanh.encode(TEXTS) - tiny.encode(TEXTS)).max() < 1e-2


def test_one_warning_counts_what_was_cut(tiny: Embedder) -> None:
    words = r"^cut 2 of 3 texts after 11 tokens, the limit of sentence_bert_config\.json; "
    with pytest.warns(UserWarning, match=words + "the longest has 32$") as caught:
        tiny.encode([LONG, "mill", f"{LONG} {LONG} and a"], batch_size=1)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_max_seq_length(directory: Path) -> None:
    longer = Embedder(directory, max_seq_length=16)
    assert longer.max_seq_length == longer.limit.value == 16
    assert longer.limit.source == "the max_seq_length argument"
    np.testing.assert_allclose(longer.encode([LONG]), expected(longer, [LONG]), atol=5e-6)
    with pytest.warns(UserWarning, match="after 15 tokens, the limit of the max_seq_length argu"):
        Embedder(directory, max_seq_length=15).encode(LONG)
    with pytest.raises(ConfigError, match=r"max_seq_length must be an int in \[3, 19\]"):
        Embedder(directory, max_seq_length=20)


def test_a_loaded_backbone(directory: Path) -> None:
    backbone = BertBackbone.from_preset(directory, num_threads=1)
    embedder = Embedder(backbone, activation="gelu", num_threads=1)
    assert embedder.backbone is backbone
    with pytest.raises(ConfigError, match="activation cannot be changed on a model that is loaded"):
        Embedder(backbone, activation="gelu_approximate")
    with pytest.raises(ConfigError, match="num_threads cannot be changed on a model that is"):
        Embedder(backbone, num_threads=2)


def test_a_backbone_without_a_directory() -> None:
    backbone = BertBackbone(**CONFIG.to_dict())
    with pytest.raises(ModelFileError, match="comes from no directory"):
        Embedder(backbone)


def test_a_directory_without_modules_warns_once(directory: Path, tmp_path: Path) -> None:
    write_tiny_model(tmp_path, pooling="cls")
    (tmp_path / "modules.json").unlink()
    with pytest.warns(UserWarning, match=r"no modules\.json.*the mean.*not normalised") as caught:
        embedder = Embedder(tmp_path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (embedder.pooling, embedder.normalize) == ("mean", False)


def test_pooling_of_another_width(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    config = {"pooling_mode": "mean", "word_embedding_dimension": 24}
    write_json(tmp_path / "1_Pooling" / "config.json", config)
    with pytest.raises(ModelFileError, match=r"vectors of another width[\s\S]*24[\s\S]*20"):
        Embedder(tmp_path)


def test_no_tokenizer(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError, match=r"no tokenizer\.json"):
        Embedder(tmp_path)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    path = tmp_path / "tokenizer.json"
    rules = json.loads(path.read_text())
    rules["model"]["vocab"]["mill"] = CONFIG.vocabulary_size
    path.write_text(json.dumps(rules))
    with pytest.raises(InputError, match="out of range"):
        Embedder(tmp_path).encode(["the mill"])


@pytest.mark.parametrize("texts", [None, 3, b"mill", {"mill": 1}, {"mill"}, bytearray(b"mill")])
def test_texts_that_are_no_list(tiny: Embedder, texts: Any) -> None:
    with pytest.raises(InputTypeError, match="texts must be a str or a list of str") as caught:
        tiny.encode(texts)
    assert caught.value.received == type(texts).__name__


def test_an_element_that_is_no_text(tiny: Embedder) -> None:
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*texts\[2\]"):
        tiny.encode(["a", "mill", None])  # type: ignore[list-item]


@pytest.mark.parametrize("batch_size", [0, -3, 2.0, True, None, "32"])
def test_batch_size(tiny: Embedder, batch_size: Any) -> None:
    with pytest.raises(ConfigError, match="batch_size must be an int of 1 or more"):
        tiny.encode(["a"], batch_size=batch_size)


@pytest.mark.parametrize("name", ["normalize_embeddings", "show_progress_bar"])
def test_flags(tiny: Embedder, name: str) -> None:
    with pytest.raises(InputTypeError, match=f"{name} must be True, False or None"):
        tiny.encode(["a"], **{name: 1})  # type: ignore[arg-type]


def test_unknown_keywords_are_errors(tiny: Embedder, directory: Path) -> None:
    with pytest.raises(TypeError, match="device"):
        tiny.encode(["a"], device="cpu")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="device"):
        Embedder(directory, device="cpu")  # type: ignore[call-arg]


def test_unknown_activation(directory: Path) -> None:
    with pytest.raises(ConfigError, match="activation"):
        Embedder(directory, activation="relu")


def test_info_is_ready_for_json(tiny: Embedder, directory: Path) -> None:
    info = json.loads(json.dumps(tiny.info()))
    assert info["path"] == str(directory)
    assert info["config"] == CONFIG.to_dict()
    assert info["max_seq_length"] == LIMIT
    assert info["max_seq_length_source"] == "sentence_bert_config.json"
    assert info["max_seq_length_candidates"]["tokenizer.json (never used)"] == BAKED
    assert (info["dimension"], info["pooling"], info["normalize"]) == (D, "mean", True)
    assert info["parameters"] == tiny.backbone.count_params()
    assert (info["num_threads"], info["num_threads_source"]) == (2, "the num_threads argument")
    assert repr(tiny).startswith("Embedder(")


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 45))
def test_batches_are_sorted_bounded_and_complete(lengths: list[int], batch_size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TOKENS_AT_ONCE", 60)
        batches = [b.tolist() for b in module._batches(np.array(lengths, np.int64), batch_size)]
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    in_order = [lengths[i] for batch in batches for i in batch]
    assert in_order == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) <= batch_size
        assert len(batch) == 1 or sum(lengths[i] for i in batch) <= 60


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
