"""Text to token ids, and what a model directory says about the way from tokens to one vector.

======================= =======================================================================
`tokenizer`             Hugging Face's ``tokenizer.json`` -> token ids, and what was cut off
`limits`                how many tokens a text may have, and which file said so
`sentence_transformers` pooling and normalisation, from ``modules.json`` and ``1_Pooling``
======================= =======================================================================

The ``tokenizers`` library is imported when the first tokenizer is loaded.
"""
