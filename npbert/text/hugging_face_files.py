"""A Hugging Face tokenizer's files beside tokenizer.json, and the tokenizer that they make alone.

``tokenizer_config.json`` has BERT's options and the names of the special tokens; older models have
the names in ``special_tokens_map.json`` and what was added to the vocabulary in
``added_tokens.json``. With ``vocab.txt``, one token a line, they say all that tokenizer.json does.

Source: transformers/models/bert/tokenization_bert.py, ``BertTokenizer``;
transformers/tokenization_utils_base.py, ``PreTrainedTokenizerBase._from_pretrained``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from npbert.caller import warn_caller
from npbert.errors import UnsupportedModelError
from npbert.weights.files import read_whole
from npbert.weights.settings import boolean, damaged, read_settings

VOCABULARY: Final = "vocab.txt"
CONFIG: Final = "tokenizer_config.json"
MAX_BYTES: Final = 128_000_000

_NAMES: Final = {  # in the order in which transformers adds them
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_CLASSES: Final = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")


class Rules(NamedTuple):
    """What BertTokenizer does to a text before it looks for words.

    Args:
        lowercase: fold case.
        strip_accents: drop combining marks; where a file does not say, as ``lowercase``.
        handle_chinese_chars: make each of them a word.
    """

    lowercase: bool
    strip_accents: bool
    handle_chinese_chars: bool


class Settings(NamedTuple):
    """What the files say.

    Args:
        where: tokenizer_config.json.
        class_name: of transformers, without "Fast"; ``"BertTokenizer"`` where none is named.
        rules: options of BERT's tokenizer, None where ``class_name`` is of another family.
        names: role -> token: ``{"pad_token": "<pad>"}``; what is stated, nothing else.
        truncation_side: ``"left"`` or ``"right"``; None where it is not stated.
        fields: everything, from all of the files.
    """

    where: Path
    class_name: str
    rules: Rules | None
    names: dict[str, str]
    truncation_side: str | None
    fields: dict[str, Any]


def read_tokenizer_settings(directory: Path) -> Settings:
    """What the small files say; each may be missing.

    Raises:
        ModelFileError: a file is damaged.
    """
    where = directory / CONFIG
    fields = read_settings(where)
    if "added_tokens_decoder" not in fields:
        fields |= read_settings(directory / "special_tokens_map.json")
    stated = fields.get("tokenizer_class") or "BertTokenizer"
    class_name = str(stated).removesuffix("Fast")
    rules = _rules(fields, where) if class_name in _CLASSES else None
    names = {r: _token(fields[r], where)["content"] for r in _NAMES if fields.get(r)}
    side = fields.get("truncation_side")
    if side not in (None, "left", "right"):
        raise damaged(where, "'left' or 'right' as truncation_side", side)
    return Settings(where, class_name, rules, names, side, fields)


def build(directory: Path, settings: Settings) -> Any:
    """The ``tokenizers.Tokenizer`` that vocab.txt and the settings make.

    Raises:
        ModelFileError: vocab.txt is damaged, or lacks a token that every text needs.
        UnsupportedModelError: the tokenizer is not BERT's.
    """
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, processors

    path = directory / VOCABULARY
    if settings.rules is None:
        raise UnsupportedModelError(
            f"vocab.txt is that of a {settings.class_name}, whose rules npbert does not have.",
            where=settings.where,
            expected=f"{', '.join(_CLASSES)}, or a tokenizer.json",
            fix="AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers makes one",
        )
    names = {**_NAMES, **settings.names}
    vocabulary = read_vocabulary(path)
    for role in ("cls_token", "sep_token", "unk_token"):
        if names[role] not in vocabulary:
            raise damaged(path, f"{names[role]} among the lines", len(vocabulary))
    library: Any = tokenizers.Tokenizer(
        models.WordPiece(vocabulary, unk_token=names["unk_token"], max_input_chars_per_word=100)
    )
    library.normalizer = normalizers.BertNormalizer(clean_text=True, **settings.rules._asdict())
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.add_tokens([tokenizers.AddedToken(**token) for token in _added(directory, settings)])
    cls, sep = names["cls_token"], names["sep_token"]
    try:
        library.post_processor = processors.TemplateProcessing(
            single=[cls, "$A", sep],
            pair=[cls, "$A", sep, "$B:1", f"{sep}:1"],
            special_tokens=[(token, library.token_to_id(token)) for token in (cls, sep)],
        )
    except ValueError:  # the library reads "a:b" as the token a of segment b
        expected = "a cls_token and a sep_token without '$' and ':'"
        raise damaged(settings.where, expected, f"{cls} {sep}") from None
    return library


def read_vocabulary(path: Path) -> dict[str, int]:
    """Token -> id, which is its line; white space at the end of a line is none of the token's.

    Raises:
        ModelFileError: the file is missing, too large or not UTF-8.
    """
    content = read_bytes(path)
    try:
        lines = content.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise damaged(path, "UTF-8, a token a line", f"bytes that are not: {error}") from None
    return {line.rstrip(): index for index, line in enumerate(lines)}


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        ModelFileError: it is missing, no regular file, or too large for a tokenizer.
    """
    return read_whole(path, MAX_BYTES, fix="check that it is a tokenizer")


def _rules(fields: dict[str, Any], where: Path) -> Rules:
    if fields.get("never_split"):
        warn_caller(
            f"{where}: never_split has no effect here, as in transformers; make its words special"
            " tokens to keep them whole"
        )
    lowercase = boolean(fields, "do_lower_case", True, where)
    unsaid = fields.get("strip_accents") is None
    strip = lowercase if unsaid else boolean(fields, "strip_accents", lowercase, where)
    return Rules(lowercase, strip, boolean(fields, "tokenize_chinese_chars", True, where))


def _added(directory: Path, settings: Settings) -> list[dict[str, Any]]:
    """The tokens to add to the vocabulary, as arguments of ``AddedToken``.

    In transformers' order: what has an id, the special tokens by role, other special tokens.
    """
    fields, where = settings.fields, settings.where
    roles = [_token(fields.get(role) or name, where) for role, name in _NAMES.items()]
    more: Any = fields.get("extra_special_tokens") or fields.get("additional_special_tokens") or []
    if not isinstance(more, list | dict):
        raise damaged(where, "a list as extra_special_tokens", more)
    listed: list[Any] = list(more.values()) if isinstance(more, dict) else more
    special = [*roles, *(_token(token, where, special=False) for token in listed)]
    if "added_tokens_decoder" in fields:
        by_id = _by_id(fields["added_tokens_decoder"], where)
    else:
        names = {token["content"] for token in special}
        by_id = _legacy_added(directory / "added_tokens.json", names)
    known = {token["content"] for token in by_id}
    return by_id + [token for token in special if token["content"] not in known]


def _by_id(decoder: Any, where: Path) -> list[dict[str, Any]]:
    entries = cast("dict[str, Any]", decoder) if isinstance(decoder, dict) else {"not ids": decoder}
    if not all(key.isdecimal() and isinstance(value, dict) for key, value in entries.items()):
        raise damaged(where, "id -> token as added_tokens_decoder", decoder)
    ordered = sorted(entries.items(), key=lambda item: int(item[0]))
    return [_token(value, where, special=False) for _, value in ordered]


def _legacy_added(path: Path, special: set[str]) -> list[dict[str, Any]]:
    ids = read_settings(path)
    if not all(isinstance(id, int) for id in ids.values()):
        raise damaged(path, "token -> id", ids)
    ordered = sorted(ids, key=lambda token: ids[token])
    return [
        {"content": t, "special": t in special, "normalized": t not in special} for t in ordered
    ]


def _token(value: Any, where: Path, *, special: bool = True) -> dict[str, Any]:
    """One special token: its text alone, or with how it is looked for in a text."""
    if isinstance(value, str):
        return {"content": value, "special": True, "normalized": False}
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    flags: dict[str, Any] = {
        k: fields[k] for k in ("lstrip", "rstrip", "single_word", "normalized") if k in fields
    }
    is_special = fields.get("special", False) or special
    if isinstance(fields.get("content"), str) and all(
        isinstance(flag, bool) for flag in (*flags.values(), is_special)
    ):
        return {"content": fields["content"], **flags, "special": is_special}
    raise damaged(where, 'a token: "[CLS]" or {"content": "[CLS]", ...}', value)
