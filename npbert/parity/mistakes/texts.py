"""Mistakes before there is a number: what a tokenizer does to a text, and what it leaves undone.

Each is a change to the text or to its token ids. A side that does not make the change gives the
right ids once it has been made for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from npbert.text.folding import strip_accents
from npbert.text.unicode_classes import CJK, CONTROL, PUNCTUATION, char_class

Ids = Sequence[int]

_CJK: Final = re.compile(f"([{char_class(CJK)}])")
_MARKS: Final = re.compile(f"([!-/:-@[-`{{-~{char_class(PUNCTUATION)}])")
_CONTROL: Final = re.compile(f"[{char_class(CONTROL)}\u200b\ufeff\u00ad]")


_SPECIAL: Final = re.compile(r"(\[(?:PAD|UNK|CLS|SEP|MASK)\])")


def _lower(text: str) -> str:
    """But not the names of special tokens, which tokenizers look for first."""
    parts = _SPECIAL.split(text)
    return "".join(part if i % 2 else part.lower() for i, part in enumerate(parts))


class Change(NamedTuple):
    """Something that is done to a text before it is split into word pieces."""

    key: str
    does: str
    """Goes on from "b does not"."""
    change: Callable[[str], str]
    fix: str


def _spaced(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda text: pattern.sub(r" \1 ", text)


CHANGES: Final = (
    Change("lower_case", "lower-case texts", _lower, "set do_lower_case (lowercase=) alike"),
    Change("accents", "strip accents", strip_accents, "set strip_accents alike"),
    Change(
        "lower_case_and_accents",
        "lower-case texts and strip their accents",
        lambda text: strip_accents(_lower(text)),
        "one side is cased, the other uncased: set do_lower_case and strip_accents alike",
    ),
    Change(
        "cjk",
        "make each CJK character a word of its own",
        _spaced(_CJK),
        "set tokenize_chinese_chars (split_on_cjk=) alike, or put spaces around CJK characters",
    ),
    Change(
        "punctuation",
        "split at punctuation",
        _spaced(_MARKS),
        "make each punctuation mark a word of its own, before word pieces are looked up",
    ),
    Change(
        "control_characters",
        "drop control characters and those of no width",
        lambda text: _CONTROL.sub("", text),
        "set clean_text alike: drop control characters",
    ),
    Change(
        "white_space",
        "take all white space alike",
        lambda text: " ".join(text.split()),
        "split at every kind of white space",
    ),
    Change(
        "unicode_form",
        "compose characters (NFC)",
        lambda text: unicodedata.normalize("NFC", text),
        "normalise the text's Unicode form on neither side, or on both",
    ),
    Change(
        "compatible_forms",
        "replace characters by compatible ones (NFKC)",
        lambda text: unicodedata.normalize("NFKC", text),
        "normalise the text's Unicode form on neither side, or on both",
    ),
    Change(
        "special_tokens_in_text",
        "take the likes of [MASK] in a text as ordinary characters",
        lambda text: re.sub(r"\[(CLS|SEP|MASK|PAD|UNK)\]", r"[ \1 ]", text),
        "say on both sides whether special tokens in a text are special",
    ),
)

_PROMPT_FIX: Final = "give both sides the same prompt: encode_query, prompt_name=, or none"


def _prompt_of(prompt: str) -> Change:
    return Change("prompt", f"put {prompt!r} before texts", lambda text: prompt + text, _PROMPT_FIX)


PROMPTS: Final = tuple(
    _prompt_of(prompt)
    for prompt in (
        "query: ",
        "passage: ",
        "Represent this sentence for searching relevant passages: ",
        "Represent this sentence: ",
        "search_query: ",
        "search_document: ",
        "clustering: ",
        "classification: ",
        "为这个句子生成表示以用于检索相关文章：",
    )
)
"""What well-known models are to be given before a text."""

FIXES: Final = {
    **{change.key: change.fix for change in CHANGES},
    "vocabulary": "use the same vocabulary, in the same order",
    "special_tokens_missing": "add [CLS] and [SEP] once, on one side of the border only",
    "max_length": "set max_seq_length alike; a limit in tokenizer.json is not the model's",
    "truncation_side": "cut long texts at the same end",
    "prompt": _PROMPT_FIX,
    "padding_attended": "pass the padding mask (attention_mask) on",
}
"""Key -> what to do."""


class Relation(NamedTuple):
    """What one side's ids are of the other's: ``says`` goes on from "b"."""

    key: str
    says: str


def relation(right: Sequence[Ids], wrong: Sequence[Ids]) -> Relation | None:
    """What has been done to all of ``right`` to make ``wrong``; None if nothing known has."""
    for says, change in _ENDS.items():
        if all(change(list(a)) == list(b) for a, b in zip(right, wrong)):
            return Relation("special_tokens_missing", says)
    prompt = _inserted(right, wrong)
    if prompt:
        return Relation("prompt", f"puts {prompt} more tokens before each text: a prompt")
    return _cut(right, wrong)


_ENDS: Final[dict[str, Callable[[list[int]], list[int]]]] = {
    "adds neither [CLS] nor [SEP]": lambda ids: ids[1:-1],
    "does not add [CLS]": lambda ids: ids[1:],
    "does not add [SEP]": lambda ids: ids[:-1],
    "adds [CLS] and [SEP] twice": lambda ids: [ids[0], *ids, ids[-1]],
    "adds [CLS] twice": lambda ids: [ids[0], *ids],
    "adds [SEP] twice": lambda ids: [*ids, ids[-1]],
}


def _inserted(right: Sequence[Ids], wrong: Sequence[Ids]) -> int:
    """How many tokens, always the same, ``wrong`` has after its first; 0 if it is not so."""
    pairs = [(list(a), list(b)) for a, b in zip(right, wrong)]
    limit = max((len(b) for _, b in pairs), default=0)
    pairs = [(a, b) for a, b in pairs if len(b) < limit] or pairs  # the longest may be cut
    extra = {len(b) - len(a) for a, b in pairs}
    if len(extra) != 1 or len({tuple(a) for a, _ in pairs}) < 2 or min(extra) <= 0:
        return 0
    n = extra.pop()
    same = len({tuple(b[1 : 1 + n]) for _, b in pairs}) == 1
    return n if same and all([*b[:1], *b[1 + n :]] == a for a, b in pairs) else 0


def _cut(right: Sequence[Ids], wrong: Sequence[Ids]) -> Relation | None:
    """The texts that differ are longer than a limit that the others keep."""
    pairs = [(list(a), list(b)) for a, b in zip(right, wrong) if list(a) != list(b)]
    limits = {len(b) for _, b in pairs}
    if len(limits) != 1 or not all(len(a) > len(b) for a, b in pairs):
        return None
    n = limits.pop()
    longest = max(len(a) for a, _ in pairs)
    if all(b in ([*a[: n - 1], a[-1]], a[:n]) for a, b in pairs):
        return Relation("max_length", f"cuts texts at {n} tokens, where {longest} are kept")
    if all(b == [a[0], *a[len(a) - n + 1 :]] for a, b in pairs):
        return Relation("max_length", f"keeps the last {n} tokens of a text, where {longest} are")
    return None
