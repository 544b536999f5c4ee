"""Token ids become vectors: three tables, looked up and added.

Source: Devlin et al. 2018, section 3, figure 2; keras_hub BertBackbone, ``embeddings_add``.
Shapes: see `npbert.shapes`.
"""

from __future__ import annotations

from npbert import simd
from npbert.ops.types import Array, IntArray
from npbert.simd.kernel import kernel


def lookup(table: Array, ids: IntArray) -> Array:  # (V, D), (B, T) -> (B, T, D)
    """Row ``ids[...]`` of ``table`` for every id."""
    return table[ids]


def add_embeddings(token: Array, position: Array, segment: Array) -> Array:
    """The sum in Keras's order, which decides the rounding.  (B, T, D) x3 -> (B, T, D)"""
    return (token + position) + segment


@kernel("void(int32[::1], stored[:, ::1], real[:, ::1])")
def lookup_kernel(ids, table, out):  # type: ignore[no-untyped-def]
    """(R,), (V, D) -> (R, D)"""
    for row in range(out.shape[0]):
        for d in range(0, out.shape[1], 16):
            simd.store(simd.load(table, ids[row], d), out, row, d)


@kernel(
    "void(int32[::1], int32[::1], int32[::1],"
    " stored[:, ::1], stored[:, ::1], stored[:, ::1], real[:, ::1])"
)
def embedding_kernel(  # type: ignore[no-untyped-def]
    token_ids, positions, segment_ids, token_table, position_table, segment_table, out
):
    """(R,) x3, (V, D), (P, D), (S, D) -> (R, D)"""
    for row in range(out.shape[0]):
        for d in range(0, out.shape[1], 16):
            # token_table[token_ids] + position_table[positions] + segment_table[segment_ids]
            token = simd.load(token_table, token_ids[row], d)
            position = simd.load(position_table, positions[row], d)
            segment = simd.load(segment_table, segment_ids[row], d)
            both = simd.rounded(token + position)
            simd.store(simd.rounded(both + segment), out, row, d)
