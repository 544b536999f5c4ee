"""The one interface over Keras Hub's tokenizer and Hugging Face's, and how a model gets its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.text.checks import Text
from npbert.text.vocabulary import check_fits

Ids = NDArray[np.int32]


class Encoded(NamedTuple):
    """Token ids of B texts.

    Args:
        ids: one int32 array a text, special tokens included, cut to the limit, never padded.
        segment_ids: int32 arrays of the same lengths: 0, and 1 for the second text of a pair.
        full_lengths: (B,) int64, how many tokens each text has without the cut.
    """

    ids: list[Ids]
    segment_ids: list[Ids]
    full_lengths: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B,), how many tokens each text has after the cut."""
        return np.array([len(each) for each in self.ids], np.int64)

    @property
    def cut(self) -> NDArray[np.bool_]:
        """(B,), whether a text lost tokens."""
        return self.full_lengths > self.lengths

    @property
    def truncated(self) -> int:
        """How many texts lost tokens."""
        return int(self.cut.sum())


class Token(NamedTuple):
    """One token of a text, for people and for cutting a text into passages.

    Args:
        id: the row of the model's token table.
        token: as the vocabulary writes it.
        start, end: its characters, ``text[start:end]``; (0, 0) where ``special``.
        special: whether the tokenizer put it there, as it does [CLS] and [SEP].
        segment: 0, or 1 for the second text of a pair: the one that ``start`` and ``end`` count in.
    """

    id: int
    token: str
    start: int
    end: int
    special: bool
    segment: int


class Tokenizer(Protocol):
    """Texts to token ids and back."""

    @property
    def num_special_tokens(self) -> int:
        """How many tokens are put around one text: 2, [CLS] and [SEP]."""
        ...

    @property
    def baked_limit(self) -> int | None:
        """The truncation that the tokenizer's own file asks for, which npbert never applies."""
        ...

    @property
    def cls_token_id(self) -> int:
        """What begins every text."""
        ...

    @property
    def sep_token_id(self) -> int:
        """What ends every text."""
        ...

    @property
    def pad_token_id(self) -> int:
        """What fills up a text in a batch that is not ragged."""
        ...

    @property
    def mask_token_id(self) -> int | None:
        """What stands for a hidden token; None where there is none."""
        ...

    @property
    def unk_token_id(self) -> int | None:
        """What stands for a word outside the vocabulary; None where there is none."""
        ...

    def vocabulary_size(self) -> int:
        """How many tokens there are; ids are below it."""
        ...

    def encode(self, texts: Sequence[Text], max_length: int) -> Encoded:
        """Token ids of each text or pair, special tokens included, at most ``max_length`` of them.

        A text that is too long loses the end of its words, or the beginning where a Hugging Face
        model's files say so, never [CLS] and [SEP].

        Raises:
            InputTypeError, InputError: see `npbert.text.checks.chunks`.
            ConfigError: ``max_length`` has no room for the special tokens.
        """
        ...

    def tokens(self, text: Text, max_length: int | None = None) -> list[Token]:
        """The tokens of one text or pair, with their places in it; None does not cut it."""
        ...

    def token_to_id(self, token: str) -> int:
        """The id of a token of the vocabulary.

        Raises:
            InputError: the vocabulary does not have it.
        """
        ...

    def id_to_token(self, id: int) -> str:
        """The token with an id.

        Raises:
            InputTypeError: it is no int.
            InputError: there is no such id.
        """
        ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The text of token ids, as the library that made the model writes it."""
        ...


def load_tokenizer(
    directory: Path, kind: Literal["keras", "hugging_face"], *, lowercase: bool = False
) -> Tokenizer:
    """The tokenizer of a model directory.

    Args:
        directory: the model's.
        kind: who wrote it. Keras Hub: ``tokenizer.json`` + ``assets/tokenizer/vocabulary.txt``.
            Hugging Face: ``tokenizer.json``, or else ``vocab.txt`` + ``tokenizer_config.json``.
        lowercase: fold case before everything else, as ``do_lower_case`` of a
            sentence-transformers model does; Keras Hub has nothing like it.

    Raises:
        ModelFileError: a file is missing, damaged or too large.
        UnsupportedModelError: the tokenizer puts no special tokens around a text.
    """
    if kind == "keras":
        from npbert.text.bert_tokenizer import BertTokenizer

        return BertTokenizer.from_directory(directory)
    from npbert.text.hugging_face_tokenizer import HuggingFaceTokenizer

    return HuggingFaceTokenizer.from_directory(directory, lowercase=lowercase)


def check_vocabulary(tokenizer: Tokenizer, config: BertConfig, where: object) -> None:
    """Refuse a tokenizer that has tokens for which the model has no row.

    A model with more rows than tokens is usual: tables are rounded up.

    Args:
        tokenizer, config: what should be of one model.
        where: the model's directory, for the message.

    Raises:
        ConfigError: an id would be outside the model's token table.
    """
    check_fits(tokenizer.vocabulary_size(), config.vocabulary_size, where)
