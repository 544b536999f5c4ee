"""The embedding classes of other libraries, in those libraries; and their columns as texts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from text.tiny_model import write_tiny_model

from npbert import Embedder
from npbert.errors import InputTypeError

pytestmark = pytest.mark.live
TEXTS = ["the river runs", "our old mill", "the mill runs"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def vectors(model: Path) -> np.ndarray:
    return Embedder(model).encode(TEXTS)


def test_langchain(model: Path, vectors: np.ndarray) -> None:
    from langchain_core.vectorstores import InMemoryVectorStore

    from npbert.integrations.langchain import NpbertEmbeddings

    embeddings = NpbertEmbeddings(model, num_threads=1)
    np.testing.assert_array_equal(np.float32(embeddings.embed_documents(TEXTS)), vectors)
    assert type(embeddings.embed_query(TEXTS[0])[0]) is float
    asynchronous = asyncio.run(embeddings.aembed_query(TEXTS[0]))
    np.testing.assert_array_equal(np.float32(asynchronous), vectors[0])
    store = InMemoryVectorStore.from_texts(TEXTS, embeddings)
    assert store.similarity_search(TEXTS[1], k=1)[0].page_content == TEXTS[1]


def test_llama_index(model: Path, vectors: np.ndarray) -> None:
    from npbert.integrations.llama_index import NpbertEmbedding

    embedding = NpbertEmbedding(model, embed_batch_size=2)
    got = embedding.get_text_embedding_batch(TEXTS)
    np.testing.assert_array_equal(np.float32(got), vectors)
    np.testing.assert_array_equal(np.float32(embedding.get_query_embedding(TEXTS[0])), vectors[0])
    asynchronous = asyncio.run(embedding.aget_query_embedding(TEXTS[2]))
    np.testing.assert_array_equal(np.float32(asynchronous), vectors[2])
    assert embedding.to_dict()["class_name"] == "NpbertEmbedding"


def test_chroma(model: Path, vectors: np.ndarray) -> None:
    import chromadb

    from npbert.integrations.chroma import NpbertEmbeddingFunction

    function = NpbertEmbeddingFunction(str(model), num_threads=1)
    np.testing.assert_array_equal(function(TEXTS), vectors)
    rebuilt = NpbertEmbeddingFunction.build_from_config(function.get_config())
    np.testing.assert_array_equal(rebuilt.embed_query(TEXTS), vectors)
    settings = chromadb.Settings(anonymized_telemetry=False)
    collection = chromadb.EphemeralClient(settings).create_collection(
        "texts", embedding_function=function
    )
    collection.add(ids=["a", "b", "c"], documents=TEXTS)
    found = collection.query(query_texts=[TEXTS[1]], n_results=1)
    assert found["ids"] == [["b"]]


def test_scikit_learn(model: Path, vectors: np.ndarray) -> None:
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from npbert.integrations.scikit_learn import NpbertVectorizer

    vectorizer = NpbertVectorizer(model)
    np.testing.assert_array_equal(vectorizer.fit_transform(TEXTS), vectors)
    assert vectorizer.get_feature_names_out()[-1] == f"npbert{vectors.shape[1] - 1}"
    loaded = vectorizer.embedder_
    vectorizer.get_feature_names_out()
    assert vectorizer.embedder_ is loaded
    assert clone(vectorizer).get_params() == vectorizer.get_params()
    pipeline = make_pipeline(clone(vectorizer), LogisticRegression()).fit(TEXTS, [0, 1, 1])
    assert pipeline.predict(TEXTS).shape == (3,)


def test_columns_of_data_frames(model: Path, vectors: np.ndarray) -> None:
    import pandas as pd
    import polars as pl

    embedder = Embedder(model)
    odd = pd.DataFrame({"text": TEXTS}, index=[7, 3, 5])["text"]
    for column in (odd, pl.Series("text", TEXTS), pd.array(TEXTS, "string")):
        np.testing.assert_array_equal(embedder.encode(column), vectors)
    for column in (pd.Series(["a", None]), pl.Series(["a", None]), pd.Series(["a", float("nan")])):
        with pytest.raises(InputTypeError, match=r"inputs\[1\]"):
            embedder.encode(column)
    with pytest.raises(InputTypeError, match="one column"):
        embedder.encode(pd.DataFrame({"text": TEXTS, "more": TEXTS}))
