"""`npbert.Embedder` as the embedding class of other libraries, each of which must be installed.

================= ====================================================================
`langchain`       ``NpbertEmbeddings``, an ``Embeddings`` of LangChain
`llama_index`     ``NpbertEmbedding``, a ``BaseEmbedding`` of LlamaIndex
`chroma`          ``NpbertEmbeddingFunction``, an ``EmbeddingFunction`` of Chroma
`scikit_learn`    ``NpbertVectorizer``, a transformer of scikit-learn
================= ====================================================================

Whoever asks for a class with an ``encode`` (BERTopic, KeyBERT, mteb) takes an `Embedder` as it is.
Each takes a model's name, handle or directory and the keywords of `Embedder`.
"""
