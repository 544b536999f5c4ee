"""What BERT is: one file an op, its definition in NumPy first, and below it its Numba kernel.

Read them in the order in which a token meets them: `embedding`, `layer_norm`, `dense`, `attention`
(with `softmax`), `feed_forward` (with `gelu`), `pooler`; for whole texts `pooling`, `projection`
(with `relu`, `sigmoid`) and `similarity`; for tasks `heads`. The definitions need NumPy, and
SciPy's erf; `npbert.reference` composes them, `transformer_layer` the kernels of a layer.
`registry` lists all ops.
"""
