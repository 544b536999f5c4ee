"""`BertTokenizer`: Keras Hub's WordPiece, to the last rule, in plain Python.

Source: keras_hub/src/models/bert/bert_tokenizer.py, ``BertTokenizer``;
keras_hub/src/tokenizers/word_piece_tokenizer.py, ``WordPieceTokenizer._tokenize_python``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np

from npbert.errors import InputError
from npbert.text.checks import Text, check_id, check_text, no_such_id, parts_of
from npbert.text.keras_files import (
    TOKENIZER,
    VOCABULARY,
    inside,
    json_bytes,
    read_tokenizer,
    tokenizer_config,
)
from npbert.text.keras_inputs import ids_of, texts_of, words_of
from npbert.text.keras_object import KerasObject
from npbert.text.keras_outputs import as_returned
from npbert.text.offsets import locate
from npbert.text.packing import ALGORITHMS, Packed, pack, room, round_robin
from npbert.text.splitting import Splitter
from npbert.text.tokenizer import Encoded, Token
from npbert.text.tokenizer_settings import SPECIAL_TOKENS, TokenizerSettings
from npbert.text.vocabulary import read_vocabulary, vocabulary_bytes
from npbert.text.wordpiece import WordCache, WordPiece, join_pieces


class BertTokenizer(KerasObject):
    """Texts to token ids and back, as Keras Hub's class of this name.

    A call takes one str, or a list of them (a tuple, an array, a column), and returns what Keras
    Hub's does: an array of ids for one, a list of arrays for several; with ``sequence_length`` one
    array (B, sequence_length), filled up with 0. With ``dtype="string"`` it returns tokens instead
    of ids. With ``split=False`` each str is one word, and a list of them is one text. [CLS] and
    [SEP] are not added by a call; a preprocessor does that, and `encode`.

    It does not change once it is made, and may be called from several threads.

    Args:
        vocabulary: the tokens, whose places are their ids; or the path of a file that has one a
            line.
        lowercase: fold the case of each word.
        sequence_length, strip_accents, split, split_on_cjk, suffix_indicator, oov_token,
            special_tokens, special_tokens_in_strings, dtype: see `TokenizerSettings`.
        name: what it is called in a config.

    Attributes:
        settings: all of the above but the vocabulary.
        cls_token_id, sep_token_id, pad_token_id, mask_token_id, start_token_id, end_token_id,
            unk_token_id: the ids of the special tokens.

    Raises:
        ConfigError: a setting is wrong or has no such name, or the vocabulary lacks a token.
        ModelFileError: the vocabulary's file is missing or damaged.
    """

    module = "bert_tokenizer"
    class_names = ("BertTokenizer",)
    num_special_tokens = 2
    baked_limit = None
    cls_token, sep_token, pad_token, mask_token = SPECIAL_TOKENS
    start_token, end_token = cls_token, sep_token

    def __init__(
        self,
        vocabulary: Iterable[str] | str | os.PathLike[str],
        lowercase: bool = False,
        *,
        name: str = "bert_tokenizer",
        **settings: Any,
    ) -> None:
        self.settings = TokenizerSettings.from_dict(
            {"lowercase": lowercase, **settings}, where="BertTokenizer(...)"
        )
        self.name = name
        self._vocabulary = read_vocabulary(vocabulary, self.settings.needed())
        self._ids = {token: id for id, token in enumerate(self._vocabulary)}
        self._splitter = Splitter(
            lowercase=self.settings.lowercase,
            strip_accents=self.settings.strip_accents,
            split=self.settings.split,
            split_on_cjk=self.settings.split_on_cjk,
            special_tokens=self.settings.kept_whole(),
        )
        self.unk_token_id = self._ids[self.settings.oov_token]
        self._pieces = WordPiece(self._ids, self.settings.suffix_indicator, self.unk_token_id)
        self._words = WordCache(self._splitter.fold, self._pieces.cut)
        self.cls_token_id = self.start_token_id = self._ids[self.cls_token]
        self.sep_token_id = self.end_token_id = self._ids[self.sep_token]
        self.pad_token_id = self._ids[self.pad_token]
        self.mask_token_id = self._ids[self.mask_token]

    # -- the vocabulary --------------------------------------------------------------------------

    def get_vocabulary(self) -> list[str]:
        """The tokens in the order of their ids."""
        return list(self._vocabulary)

    def vocabulary_size(self) -> int:
        """How many tokens there are; ids are below it."""
        return len(self._vocabulary)

    def id_to_token(self, id: int) -> str:
        """The token with an id.

        Raises:
            InputTypeError: it is no int.
            InputError: there is no such id.
        """
        check_id(id)
        if not 0 <= id < len(self._vocabulary):
            raise no_such_id(id, len(self._vocabulary))
        return self._vocabulary[id]

    def token_to_id(self, token: str) -> int:
        """The id of a token.

        Raises:
            InputError: the vocabulary does not have it.
        """
        if token not in self._ids:
            raise InputError("the vocabulary has no such token.", received=f"{token!r:.80}")
        return self._ids[token]

    @property
    def special_tokens(self) -> list[str]:
        """[CLS], [SEP], [PAD] and [MASK]."""
        return list(SPECIAL_TOKENS)

    @property
    def special_token_ids(self) -> list[int]:
        """The ids of `special_tokens`."""
        return [self._ids[token] for token in SPECIAL_TOKENS]

    # -- Keras Hub's calls -----------------------------------------------------------------------

    def __call__(self, inputs: object) -> Any:
        """As `tokenize`."""
        return self.tokenize(inputs)

    def tokenize(self, inputs: object) -> Any:
        """Token ids of one text or of several; see the class.

        Raises:
            InputTypeError: not a str, nor a list of them.
            InputError: a text is not valid Unicode, or far too long.
        """
        if self.settings.split:
            texts, batched = texts_of(inputs)
            rows = [self._tokenize(text) for text in texts]
        else:
            samples, batched = words_of(inputs)
            rows = [list(chain.from_iterable(map(self._tokenize, words))) for words in samples]
        found = as_returned(rows, self.settings, self._vocabulary)
        return found if batched else found[0]

    def detokenize(self, inputs: object) -> str | list[str]:
        """The tokens with spaces between them, pieces of a word joined again.

        Args:
            inputs: an id, a sequence of ids, or a batch of sequences, as arrays or lists.

        Raises:
            InputTypeError: an id is no int.
            InputError: an id is not in the vocabulary.
        """
        sequences, batched = ids_of(inputs)
        suffix = self.settings.suffix_indicator
        texts = [join_pieces(map(self.id_to_token, ids), suffix) for ids in sequences]
        return texts if batched else texts[0]

    # -- npbert's calls: special tokens included, never padded -----------------------------------

    def encode(self, texts: Sequence[Text], max_length: int) -> Encoded:
        """Token ids of each text or pair, [CLS] and [SEP] included, at most ``max_length``.

        A pair is cut as Keras Hub does it by default, ``round_robin``.

        Raises:
            InputTypeError, InputError: an element is no text; see `npbert.text.checks`.
            ConfigError: ``max_length`` has no room for the special tokens.
        """
        encoded = Encoded([], [], np.empty(len(texts), np.int64))
        for i, text in enumerate(texts):
            check_text(text, f"texts[{i}]")
            packed = self.pack(parts_of(text), max_length, "round_robin")
            encoded.ids.append(np.array(packed.ids, np.int32))
            encoded.segment_ids.append(np.array(packed.segment_ids, np.int32))
            encoded.full_lengths[i] = packed.full_length
        return encoded

    def pack(self, segments: Sequence[str], length: int, truncate: str) -> Packed:
        """Segments that were checked, as one sequence: [CLS] first, [SEP] after each.

        Args:
            segments: a text, or the two of a pair, or more.
            length: the most tokens.
            truncate: a name in `ALGORITHMS`.

        Raises:
            ConfigError: ``length`` has no room for the special tokens.
        """
        ids = [self._tokenize(segment) for segment in segments]
        share = ALGORITHMS[truncate]
        return pack(ids, length, share, start=self.cls_token_id, end=self.sep_token_id)

    def tokens(self, text: Text, max_length: int | None = None) -> list[Token]:
        """The tokens of one text or pair, with their places in it; None does not cut it.

        A mark that was stripped belongs to no token. Where folding the case joined characters of a
        word, each of its tokens has all of the word's characters.

        Raises:
            InputTypeError, InputError, ConfigError: as for `encode`.
        """
        check_text(text)
        parts = [locate(part, self._splitter, self._pieces.cut) for part in parts_of(text)]
        kept = [len(part) for part in parts]
        if max_length is not None:
            kept = round_robin(kept, room(max_length, len(parts)))
        found = [Token(self.cls_token_id, self.cls_token, 0, 0, True, 0)]
        for segment, (part, count) in enumerate(zip(parts, kept, strict=True)):
            for id, start, end in part[:count]:
                found.append(Token(id, self._vocabulary[id], start, end, False, segment))
            found.append(Token(self.sep_token_id, self.sep_token, 0, 0, True, segment))
        return found

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """As `detokenize`; without [CLS], [SEP], [PAD] and [MASK] if asked for."""
        skipped = self.special_token_ids if skip_special_tokens else []
        tokens = [self.id_to_token(id) for id in ids if id not in skipped]
        return join_pieces(tokens, self.settings.suffix_indicator)

    # -- files -----------------------------------------------------------------------------------

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], **settings: Any) -> Self:
        """The tokenizer of a Keras preset: a directory, a name or a handle, as for `BertBackbone`.

        Args:
            preset: what to load.
            settings: replace those of the preset.

        Raises:
            ModelFileError: a file is missing or damaged.
            UnsupportedModelError: another kind of tokenizer, or not Keras Hub's format.
            UnsafeModelError: the preset names a file for its vocabulary.
            ConfigError: a setting is wrong or has no such name, or the vocabulary lacks a token.
        """
        from npbert.presets.load import preset_directory

        return cls.from_directory(preset_directory(preset), **settings)

    @classmethod
    def from_directory(cls, directory: Path, **settings: Any) -> Self:
        """As `from_preset`, of a directory on disk."""
        saved = read_tokenizer(directory)
        return cls(inside(directory, VOCABULARY), **{**saved, **settings})

    def get_config(self) -> dict[str, Any]:
        """Keras Hub's keys in its order; ``split_on_cjk``, which it forgets, where it is False."""
        return tokenizer_config(self.name, self.settings)

    def preset_files(self) -> dict[str, bytes]:
        """tokenizer.json and the vocabulary; see `KerasObject.preset_files`."""
        vocabulary = vocabulary_bytes(self._vocabulary)
        return {TOKENIZER: json_bytes(self.keras_object()), VOCABULARY: vocabulary}

    # -- one text --------------------------------------------------------------------------------

    def _tokenize(self, text: str) -> list[int]:
        """The ids of a text that was checked."""
        words = self._splitter.words(text)
        return list(chain.from_iterable(map(self._words.__getitem__, words)))
