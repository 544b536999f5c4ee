"""[MASK] in texts, and the tokens to put there.

Source: transformers/pipelines/fill_mask.py, ``FillMaskPipeline.postprocess``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from npbert.errors import ConfigError, InputError
from npbert.ops.heads import activated
from npbert.ops.types import Array
from npbert.simd.precision import FLOAT32, Precision
from npbert.tasks.batching import check_count
from npbert.tasks.readers import TextReader
from npbert.tasks.task import Ids, Reader
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertMaskedLMPreprocessor
from npbert.text.tokenizer import Encoded, Tokenizer

_ROWS: Final = 256  # (256, V) logits at once: 31 MB for most vocabularies
_SEEING_MASKS: Final[WeakKeyDictionary[BertTokenizer, BertTokenizer]] = WeakKeyDictionary()


class Best(NamedTuple):
    """The likeliest tokens at M places, (M, top_k) each, best first."""

    ids: NDArray[np.intp]
    scores: Array


def check_top_k(value: object, vocabulary_size: int) -> int:
    """``value`` itself.

    Raises:
        ConfigError: it is no int from 1 to the vocabulary's size.
    """
    count = check_count("top_k", value)
    if count > vocabulary_size:
        raise ConfigError(
            "top_k is more than the vocabulary has.", received=count, expected=vocabulary_size
        )
    return count


def reader_of_masks(reader: Reader) -> Reader:
    """As ``reader``, and [MASK] in a text is one token: Keras Hub's tokenizer cuts it in three."""
    if isinstance(reader, TextReader) or reader.tokenizer.settings.special_tokens_in_strings:
        return reader
    tokenizer = _seeing_masks(reader.tokenizer)
    return BertMaskedLMPreprocessor(tokenizer, reader.sequence_length, reader.truncate)


def _seeing_masks(tokenizer: BertTokenizer) -> BertTokenizer:
    """Made once for each tokenizer, which does not change: of 30,000 tokens, that takes 18 ms."""
    if tokenizer not in _SEEING_MASKS:
        settings = dataclasses.replace(tokenizer.settings, special_tokens_in_strings=True)
        fields = dataclasses.asdict(settings)
        _SEEING_MASKS[tokenizer] = BertTokenizer(tokenizer.get_vocabulary(), **fields)
    return _SEEING_MASKS[tokenizer]


def mask_places(encoded: Encoded, tokenizer: Tokenizer) -> list[NDArray[np.intp]]:
    """Where the masks are among the tokens of each text.

    Raises:
        InputError: a text has none.
        ConfigError: there is no such token.
    """
    if tokenizer.mask_token_id is None:
        raise ConfigError(
            "the tokenizer has no token that stands for a hidden one.",
            expected="[MASK] in its vocabulary",
            fix="take a model that was trained with masks",
        )
    places = [np.flatnonzero(ids == tokenizer.mask_token_id) for ids in encoded.ids]
    for i, found in enumerate(places):
        if not len(found):
            mask = tokenizer.id_to_token(tokenizer.mask_token_id)
            cut = " in the part of it that is read" if encoded.cut[i] else ""
            raise InputError(
                f"the text has no {mask}{cut}.",
                where=f"inputs[{i}]",
                fix=f"write {mask} where a token is to be found",
            )
    return places


def best_tokens(
    hidden: Array,
    logits: Callable[[Array], Array],
    tokens: int,
    count: int,
    precision: Precision = FLOAT32,
) -> Best:
    """The tokens of the highest probabilities; of equal ones, that with the lower id.

    Args:
        hidden: (M, padded D), the vectors of the masks.
        logits: (M, padded D) -> (M, V).
        tokens: how many the vocabulary has; the model may have rows past it, which are none.
        count: how many tokens for each.
        precision: of the probabilities.
    """
    shape = (len(hidden), count)
    ids, scores = np.empty(shape, np.intp), np.empty(shape, precision.real)
    for start in range(0, len(hidden), _ROWS):
        part = logits(hidden[start : start + _ROWS])
        probabilities = activated(part, "softmax", precision)
        for row, each in enumerate(probabilities, start):
            ids[row] = _largest(each[:tokens], count)
            scores[row] = each[ids[row]]
    return Best(ids, scores)


def _largest(values: Array, count: int) -> NDArray[np.intp]:
    """Where the largest are. Which of equal ones a partition puts first depends on the CPU."""
    least = np.partition(values, len(values) - count)[-count]
    found = np.flatnonzero(values >= least)
    return found[np.argsort(-values[found], kind="stable")][:count]


def fillings(
    ids: Ids, places: NDArray[np.intp], best: Best, tokenizer: Tokenizer
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """What ``fill_mask`` returns for one text; see there."""
    single = len(places) == 1
    rows: list[list[dict[str, Any]]] = []
    for place, tokens, scores in zip(places, best.ids.tolist(), best.scores.tolist(), strict=True):
        row: list[dict[str, Any]] = []
        for token, score in zip(tokens, scores, strict=True):
            filled = [*ids.tolist()]
            filled[place] = token
            kept = [id for id in filled if id != tokenizer.pad_token_id]
            row.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": tokenizer.decode([token], skip_special_tokens=False),
                    # With several masks the others stay to be seen, and so do all special tokens.
                    "sequence": tokenizer.decode(kept, skip_special_tokens=single),
                }
            )
        rows.append(row)
    return rows[0] if single else rows
