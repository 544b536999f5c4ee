"""What a person reads: texts, vectors and similarities as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from npbert.text.tokenizer import Token

F32 = NDArray[np.float32]

MATRIX_TEXTS: Final = 9
"""The most texts whose similarities are shown as a square; more do not fit 80 columns."""

_SHOWN_VALUES: Final = 4
_SCALES: Final = {
    "cosine": "1 is the same meaning",
    "dot": "the higher, the closer in meaning",
    "euclidean": "0 is the same meaning",
    "manhattan": "0 is the same meaning",
}
_SHADES: Final = ((0.6, "bold white on green"), (0.4, "black on yellow"), (0.2, ""))


def vectors_table(texts: list[str], vectors: F32) -> Table:  # (B, D)
    """Each text with the first values of its vector and the vector's length."""
    title = f"{len(texts)} x {vectors.shape[1]}"
    table = Table("", "text", f"vector (first {_SHOWN_VALUES} values)", "length", title=title)
    for number, (text, vector) in enumerate(zip(texts, vectors, strict=True), 1):
        values = " ".join(f"{value:8.5f}" for value in vector[:_SHOWN_VALUES])
        length = f"{np.sqrt(np.square(vector, dtype=np.float64).sum()):.4f}"
        table.add_row(str(number), readable(text, 40), f"{values} ...", length)
    return table


def similarity_table(texts: list[str], similarities: F32, function: str) -> Table:  # (B, B)
    """How alike each pair of texts is; for many texts, only the closest one of each.

    ``function`` is one of `npbert.tasks.similarity.SIMILARITIES`.
    """
    if len(texts) > MATRIX_TEXTS:
        return _closest_table(texts, similarities, function)
    title = f"How alike ({function}): {_SCALES[function]}"
    table = Table(title=title, box=SIMPLE, padding=0)
    table.add_column("")
    table.add_column("text")
    for number in range(1, len(texts) + 1):
        table.add_column(str(number), justify="right", no_wrap=True, min_width=5)
    for i, text in enumerate(texts):
        cells = [_cell(each, function) for each in similarities[i].tolist()]
        cells[i] = Text("-")
        table.add_row(f"{i + 1} ", readable(text, 48), *cells)
    return table


def _closest_table(texts: list[str], similarities: F32, function: str) -> Table:
    table = Table("", "text", "closest", "closest text", function, title="closest texts")
    others = similarities.copy()
    np.fill_diagonal(others, -np.inf)
    for i, text in enumerate(texts):
        j = int(others[i].argmax())
        cell = _cell(float(similarities[i, j]), function)
        table.add_row(str(i + 1), readable(text, 40), str(j + 1), readable(texts[j], 40), cell)
    return table


def tokens_table(text: str, tokens: list[Token]) -> Table:
    """Each token of a text: its id, and the characters it stands for."""
    table = Table("", "token", "id", "characters", title=readable(text, 70), title_justify="left")
    for number, token in enumerate(tokens):
        place = "" if token.special else f"{token.start}:{token.end}"
        style = "dim" if token.special else ""
        table.add_row(str(number), readable(token.token, 40), str(token.id), place, style=style)
    return table


def classes_table(texts: list[str], found: list[list[dict[str, Any]]]) -> Table:
    """Each text with its classes, likeliest first."""
    table = Table("", "text", "classes")
    for number, (text, classes) in enumerate(zip(texts, found, strict=True), 1):
        shown = "  ".join(f"{each['label']} {each['score']:.3f}" for each in classes)
        table.add_row(str(number), readable(text, 48), readable(shown, len(shown)))
    return table


def ranking_table(found: list[dict[str, Any]]) -> Table:
    """Documents with their scores, and their places in the input."""
    table = Table("", "score", "text", "input row")
    for number, each in enumerate(found, 1):
        row = str(each["corpus_id"] + 1)
        table.add_row(str(number), f"{each['score']:.4f}", readable(each["text"], 60), row)
    return table


def words_table(text: str, found: list[dict[str, Any]]) -> Table:
    """The words for one gap, likeliest first, and the text with each."""
    table = Table("word", "probability", "text", title=readable(text, 70), title_justify="left")
    for each in found:
        word = readable(each["token_str"], 20)
        table.add_row(word, f"{each['score']:.4f}", readable(each["sequence"], 60))
    return table


def _cell(similarity: float, function: str) -> Text:
    style = ""
    if function == "cosine":
        style = next((style for least, style in _SHADES if similarity >= least), "dim")
    return Text(f"{similarity:5.2f}", style)


def readable(text: str, width: int) -> Text:
    """One line of at most ``width`` characters; what a terminal would act on becomes a dot."""
    shown = "".join(c if c.isprintable() else "·" for c in text[: width + 1])
    return Text(shown if len(text) <= width else shown[: width - 1] + "…")
