"""The letters that name dimensions, once for the whole project.

Every shape comment and docstring in npbert uses these and no others:

====== =========================================================
letter meaning
====== =========================================================
``B``  batch: how many sequences
``T``  tokens: positions in one sequence, padding included
``D``  ``hidden_dim``: the width of the residual stream
``N``  ``num_heads``
``H``  head size, ``D // N``
``F``  ``intermediate_dim``: the width inside the feed-forward block
``V``  ``vocabulary_size``
``P``  ``max_sequence_length``: rows of the position table
``S``  ``num_segments``
``L``  ``num_layers``
``R``  ragged rows: the tokens of a batch that are computed, end to end
====== =========================================================

``(B, T) -> (B, T, D)`` beside a function says what goes in and what comes out. ``K`` and ``M``
appear only where matrices are multiplied, as ``(M, K) @ (K, N)``.
"""
