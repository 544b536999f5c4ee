"""Which characters of a text each of its tokens stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from npbert.text.splitting import Splitter
from npbert.text.wordpiece import Piece

Cut = Callable[[str], list[Piece]]


def locate(text: str, splitter: Splitter, cut: Cut) -> list[Piece]:
    """The tokens of a text, each with its characters: ``text[start:end]``.

    A mark that was stripped belongs to no token. Where folding the case joins characters of a word
    (a letter and its accent, say), each token of the word has all of the word's characters.

    Args:
        text: as it came.
        splitter: finds the words.
        cut: a folded word -> its pieces.
    """
    words = splitter.places(text)
    return [piece for word, origins in words for piece in _pieces(word, origins, splitter, cut)]


def _pieces(word: str, origins: Sequence[int], splitter: Splitter, cut: Cut) -> list[Piece]:
    """The pieces of a word whose characters are those of the text at ``origins``."""
    folded = splitter.fold(word)
    pieces = cut(folded)
    if folded != word:
        each = [splitter.fold(character) for character in word]
        if "".join(each) != folded:
            return [Piece(piece.id, origins[0], origins[-1] + 1) for piece in pieces]
        origins = [i for i, part in zip(origins, each, strict=True) for _ in part]
    return [Piece(id, origins[start], origins[end - 1] + 1) for id, start, end in pieces]
