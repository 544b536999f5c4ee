"""A word to the pieces of it that the vocabulary has: greedy, the longest first.

Source: Schuster & Nakajima 2012; keras_hub/src/tokenizers/word_piece_tokenizer.py,
``_tokenize_word_python``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

MAX_BYTES: Final = 100
"""A longer word is unknown as a whole: bytes of UTF-8, where Hugging Face counts characters."""

CACHED_WORDS: Final = 65_536
"""How many words a tokenizer remembers, each of at most `MAX_BYTES` characters: some 15 MB."""


class Piece(NamedTuple):
    """A token of the vocabulary that is a part of a word: ``word[start:end]``."""

    id: int
    start: int
    end: int


class WordPiece:
    """The vocabulary, and how a word is cut into tokens of it.

    Args:
        ids: token -> id.
        suffix_indicator: what stands before a piece that does not begin a word: ``"##"``.
        unknown: the id for a word that cannot be made of pieces.
    """

    def __init__(self, ids: Mapping[str, int], suffix_indicator: str, unknown: int) -> None:
        self._first = ids
        self._suffixes = {
            token[len(suffix_indicator) :]: id
            for token, id in ids.items()
            if token.startswith(suffix_indicator)
        }
        self._longest = max(map(len, ids))
        self._unknown = unknown

    def cut(self, word: str) -> list[Piece]:
        """The pieces of a word; none of an empty one, and one for all that is unknown."""
        if len(word.encode()) > MAX_BYTES:
            return [Piece(self._unknown, 0, len(word))]
        found: list[Piece] = []
        start, ids = 0, self._first
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                if (id := ids.get(word[start:end])) is not None:
                    break
            else:
                return [Piece(self._unknown, 0, len(word))]
            found.append(Piece(id, start, end))
            start, ids = end, self._suffixes
        return found


def join_pieces(tokens: Iterable[str], suffix_indicator: str) -> str:
    """The tokens with spaces between words; what begins with the indicator continues a word.

    It does so only where there is something to continue, and more of it than the indicator.
    """
    text = ""
    for i, token in enumerate(tokens):
        if i and len(token) > len(suffix_indicator) and token.startswith(suffix_indicator):
            text += token[len(suffix_indicator) :]
        else:
            text += f" {token}" if i else token
    return text


class WordCache(dict[str, tuple[int, ...]]):
    """Word -> ids of its pieces, worked out when a word is first asked for.

    When it is full it begins again, so that a text of words that are all different costs no more
    memory than another. It may be asked from several threads.

    Args:
        fold: what is done to a word before it is cut.
        cut: a folded word -> its pieces.
    """

    def __init__(self, fold: Callable[[str], str], cut: Callable[[str], list[Piece]]) -> None:
        super().__init__()
        self._fold, self._cut = fold, cut

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = tuple([piece.id for piece in self._cut(self._fold(word))])
        if len(word) <= MAX_BYTES:
            if len(self) >= CACHED_WORDS:
                self.clear()
            self[word] = ids
        return ids

    def __reduce__(self) -> tuple[object, ...]:
        """A copy in another process begins empty."""
        return (WordCache, (self._fold, self._cut))
