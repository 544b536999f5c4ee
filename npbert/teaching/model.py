"""The toy BERT: trained, and small enough to print."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from npbert.tasks.masked_lm import BertMaskedLM

PRESET: Final = Path(__file__).parent / "toy"
"""As Keras Hub's ``save_to_preset`` wrote it; ``provenance.json`` in it says how it was made."""


def toy() -> BertMaskedLM:
    """A masked LM of V = 59, D = 16, N = 2, L = 2, F = 40, P = 24, with its preprocessor.

    Keras Hub's BertMaskedLM learnt it from texts of a small grammar, in which animals are by the
    river, money is in the bank, and "bank" means either place. See ``golden/toy.py``.

    Example:
        >>> toy().fill_mask("she put money in the [MASK].")[0]["token_str"]
        'bank'
    """
    return BertMaskedLM.from_preset(PRESET, num_threads=1)
