"""Texts to token ids, by the rules in a model's ``tokenizer.json``.

The ``tokenizers`` library does the work. What ``tokenizer.json`` says about truncation and padding
is left over from training and ignored: all-MiniLM-L6-v2's would cut every text after 128 tokens and
pad the shorter ones to 128, where the model takes 256 and npbert computes no padding at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.errors import InputError, InputTypeError, ModelFileError, UnsupportedModelError
from npbert.weights.files import open_regular

FILE: Final = "tokenizer.json"
MAX_CHARACTERS: Final = 20_000_000
"""The longest text; the library takes about 100 bytes of memory for each character."""

_MAX_FILE_BYTES: Final = 128_000_000
_TEXTS_AT_ONCE: Final = 1024
_CHARACTERS_AT_ONCE: Final = 1_000_000


class Encoded(NamedTuple):
    """Token ids of B texts.

    Args:
        ids: one int32 array per text, special tokens included, cut to the limit.
        full_lengths: (B,) int64, how many tokens each text has without the cut.
    """

    ids: list[NDArray[np.int32]]
    full_lengths: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B,), how many tokens each text has after the cut."""
        return np.array([len(each) for each in self.ids], np.int64)

    @property
    def truncated(self) -> int:
        """How many texts lost tokens."""
        return int((self.full_lengths > self.lengths).sum())


class Tokenizer:
    """A tokenizer of Hugging Face's format, without truncation and padding of its own.

    Args:
        library: a ``tokenizers.Tokenizer``; its truncation and padding are switched off.
        where: the file it came from, for messages.

    Attributes:
        special_tokens: how many tokens are put around each text: 2, [CLS] and [SEP].
        baked_limit: the truncation that ``tokenizer.json`` asked for, or None.

    Raises:
        UnsupportedModelError: it puts no special tokens around a text, which BERT needs.
    """

    def __init__(self, library: Any, *, where: object = None) -> None:
        truncation: dict[str, Any] | None = library.truncation
        self.baked_limit: int | None = truncation["max_length"] if truncation else None
        library.no_truncation()
        library.no_padding()
        self._library = library
        self.special_tokens: int = library.num_special_tokens_to_add(False)
        if not self.special_tokens:
            raise UnsupportedModelError(
                "the tokenizer puts no [CLS] and [SEP] around a text, and BERT needs them.",
                where=where,
                expected="a post_processor in tokenizer.json",
                fix="save it again with transformers: AutoTokenizer.from_pretrained(...)"
                ".save_pretrained(...)",
            )

    @classmethod
    def from_directory(cls, directory: Path, *, lowercase: bool = False) -> Tokenizer:
        """The tokenizer in ``directory``.

        Args:
            directory: holds ``tokenizer.json``.
            lowercase: fold case before everything else, as ``do_lower_case`` of
                sentence-transformers does.

        Raises:
            ModelFileError: the file is missing, damaged or too large.
            UnsupportedModelError: see the class.
        """
        path = directory / FILE
        _require(path)
        import tokenizers

        try:
            library: Any = tokenizers.Tokenizer.from_buffer(_read(path))
        except ValueError as error:
            raise ModelFileError(
                "not a tokenizer that the tokenizers library can read.",
                where=path,
                received=error,
                fix="download the file again, or update tokenizers",
            ) from None
        if lowercase:
            rest = [library.normalizer] if library.normalizer is not None else []
            first = tokenizers.normalizers.Lowercase()
            library.normalizer = tokenizers.normalizers.Sequence([first, *rest])
        return cls(library, where=path)

    def encode(self, texts: Sequence[str], max_length: int) -> Encoded:
        """Token ids of each text, special tokens included, at most ``max_length`` of them.

        A text that is too long loses the end of its words, never [CLS] and [SEP].

        Raises:
            InputTypeError: an element is not a str.
            InputError: a text is not valid Unicode, or longer than `MAX_CHARACTERS`.
        """
        ids: list[NDArray[np.int32]] = []
        lengths: list[int] = []
        room = max_length - self.special_tokens
        for start, stop in _chunks(texts):
            chunk = list(texts[start:stop])
            for encoding in self._library.encode_batch_fast(chunk, add_special_tokens=False):
                lengths.append(len(encoding) + self.special_tokens)
                encoding.truncate(room)
                ids.append(np.array(self._library.post_process(encoding).ids, np.int32))
        return Encoded(ids, np.array(lengths, np.int64))


def _chunks(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Ranges of texts to encode together: bounded in number and in characters."""
    bounds, characters = [0], 0
    for index, text in enumerate(texts):
        _check_text(text, index)
        characters += len(text)
        full = index - bounds[-1] >= _TEXTS_AT_ONCE or characters > _CHARACTERS_AT_ONCE
        if full and index > bounds[-1]:
            bounds.append(index)
            characters = len(text)
    return list(zip(bounds, [*bounds[1:], len(texts)], strict=True)) if texts else []


def _check_text(text: object, index: int) -> None:
    if not isinstance(text, str):
        raise InputTypeError(
            "a text must be a str.",
            where=f"texts[{index}]",
            received=f"{text!r:.80} ({type(text).__name__})",
            fix="drop it, or replace it by '' to get the vector of an empty text",
        )
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            "the text is too long.",
            where=f"texts[{index}]",
            received=f"{len(text):,} characters",
            expected=f"at most {MAX_CHARACTERS:,}",
            fix="split it into passages; a model reads a few hundred words of each",
        )
    if not text.isascii():
        _check_unicode(text, index)


def _check_unicode(text: str, index: int) -> None:
    # Releases of the library differ in what they make of half a pair.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "the text is not valid Unicode: it has half of a surrogate pair.",
            where=f"texts[{index}], character {error.start}",
            received=repr(text[error.start]),
            fix="decode it with errors='replace', or text.encode(errors='replace').decode()",
        ) from None


def _require(path: Path) -> None:
    if not path.exists():
        raise ModelFileError(
            "the model has no tokenizer.json, so texts cannot become token ids.",
            where=path.parent,
            expected=FILE,
            fix="AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers makes it",
        )


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise ModelFileError(
            f"the file is larger than {_MAX_FILE_BYTES:,} bytes.",
            where=path,
            fix="check that it is a tokenizer",
        )
    return content
