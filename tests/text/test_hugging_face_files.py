"""The files beside tokenizer.json, and what vocab.txt makes without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError, UnsupportedModelError
from npbert.text import hugging_face_files
from npbert.text.hugging_face_files import (
    Rules,
    build,
    read_bytes,
    read_tokenizer_settings,
    read_vocabulary,
)

from .tiny_model import VOCABULARY, write_json

FOLDED, KEPT = Rules(True, True, True), Rules(False, False, True)


def make(directory: Path, **config: Any) -> Any:
    """The ``tokenizers.Tokenizer`` of `VOCABULARY` with this tokenizer_config.json."""
    write_json(directory / "tokenizer_config.json", config)
    if not (directory / "vocab.txt").exists():
        (directory / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return build(directory, read_tokenizer_settings(directory))


def tokens(library: Any, text: str) -> list[str]:
    return library.encode(text).tokens[1:-1]


# -- what the files say ----------------------------------------------------------------------------


def test_no_files_are_transformers_defaults(tmp_path: Path) -> None:
    settings = read_tokenizer_settings(tmp_path)
    assert settings.where == tmp_path / "tokenizer_config.json"
    assert settings[1:] == ("BertTokenizer", FOLDED, {}, None, {})


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        ({"do_lower_case": True}, FOLDED),
        ({"do_lower_case": False, "strip_accents": None}, KEPT),
        ({"do_lower_case": True, "strip_accents": False}, Rules(True, False, True)),
        ({"do_lower_case": False, "strip_accents": True}, Rules(False, True, True)),
        ({"tokenize_chinese_chars": False}, Rules(True, True, False)),
        ({"tokenizer_class": "BertTokenizerFast", "never_split": None}, FOLDED),
        ({"tokenizer_class": "ElectraTokenizer", "do_basic_tokenize": True}, FOLDED),
        ({"tokenizer_class": "XLMRobertaTokenizer", "do_lower_case": "no"}, None),
    ],
)
def test_rules(tmp_path: Path, config: dict[str, Any], rules: Rules | None) -> None:
    write_json(tmp_path / "tokenizer_config.json", config)
    assert read_tokenizer_settings(tmp_path).rules == rules


def test_names_of_todays_files(tmp_path: Path) -> None:
    pad = {"content": "<pad>", "lstrip": False, "__type": "AddedToken"}
    config = {"pad_token": pad, "mask_token": "<mask>", "added_tokens_decoder": {}}
    write_json(tmp_path / "tokenizer_config.json", {**config, "cls_token": None})
    write_json(tmp_path / "special_tokens_map.json", {"mask_token": "ignored"})
    names = {"pad_token": "<pad>", "mask_token": "<mask>"}
    assert read_tokenizer_settings(tmp_path).names == names


def test_names_of_older_files(tmp_path: Path) -> None:
    write_json(tmp_path / "tokenizer_config.json", {"mask_token": "replaced"})
    write_json(tmp_path / "special_tokens_map.json", {"mask_token": "<mask>", "unk_token": "?"})
    names = {"unk_token": "?", "mask_token": "<mask>"}
    assert read_tokenizer_settings(tmp_path).names == names


def test_never_split_is_none_of_transformers_options(tmp_path: Path) -> None:
    write_json(tmp_path / "tokenizer_config.json", {"never_split": ["C++"]})
    with pytest.warns(UserWarning, match="never_split has no effect here, as in transformers"):
        read_tokenizer_settings(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("tokenizer_config.json", {"do_lower_case": "yes"}, "true or false as do_lower_case"),
        ("tokenizer_config.json", {"strip_accents": 1}, "true or false as strip_accents"),
        (
            "tokenizer_config.json",
            {"truncation_side": "top"},
            "'left' or 'right' as truncation_side",
        ),
        ("tokenizer_config.json", {"pad_token": 3}, r"a token: \"\[CLS\]\" or"),
        ("tokenizer_config.json", {"pad_token": {"content": 3}}, "a token"),
        ("tokenizer_config.json", {"pad_token": {"content": "p", "lstrip": 1}}, "a token"),
        ("special_tokens_map.json", [], "not a JSON object"),
    ],
)
def test_damaged_files(tmp_path: Path, file: str, content: Any, what: str) -> None:
    write_json(tmp_path / file, content)
    with pytest.raises(ModelFileError, match=what) as caught:
        read_tokenizer_settings(tmp_path)
    assert Path(str(caught.value.where)).parent == tmp_path


# -- vocab.txt -------------------------------------------------------------------------------------


def test_a_line_is_a_token(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes("a\r\nb \u00a0\nc\u2028d\n\na\n".encode())
    assert read_vocabulary(path) == {"a": 4, "b": 1, "c\u2028d": 2, "": 3}
    path.write_bytes(b"a\nb")
    assert read_vocabulary(path) == {"a": 0, "b": 1}


def test_a_vocabulary_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelFileError, match="UTF-8, a token a line"):
        read_vocabulary(path)
    with pytest.raises(ModelFileError, match="does not exist"):
        read_vocabulary(tmp_path / "none.txt")
    monkeypatch.setattr(hugging_face_files, "MAX_BYTES", 1)
    with pytest.raises(ModelFileError, match="larger than 1 bytes"):
        read_bytes(path)


@pytest.mark.parametrize("missing", ["[CLS]", "[SEP]", "[UNK]"])
def test_a_vocabulary_without_what_every_text_needs(tmp_path: Path, missing: str) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(set(VOCABULARY) - {missing}))
    with pytest.raises(ModelFileError, match=rf"vocab\.txt[\s\S]*\{missing} among the lines"):
        make(tmp_path)


@pytest.mark.parametrize("token", ["a:b", "$A:1"])
def test_a_special_token_that_the_library_cannot_take(tmp_path: Path, token: str) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join([*VOCABULARY, token]))
    with pytest.raises(ModelFileError, match=r"a sep_token without '\$' and ':'"):
        make(tmp_path, sep_token=token)


def test_another_tokenizers_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"that of a BertJapaneseTokenizer[\s\S]*a tokenizer\.json"
    ):
        make(tmp_path, tokenizer_class="BertJapaneseTokenizer")


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("tokenizer_config.json", {"extra_special_tokens": "p"}, "a list as extra_special_tokens"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": {}}}, "id -> token"),
        ("tokenizer_config.json", {"added_tokens_decoder": ["x"]}, "id -> token"),
        ("added_tokens.json", {"[E]": "7"}, "token -> id"),
    ],
)
def test_damaged_additions(tmp_path: Path, file: str, content: Any, what: str) -> None:
    """They matter to a vocabulary alone: tokenizer.json has them itself."""
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY))
    write_json(tmp_path / file, content)
    with pytest.raises(ModelFileError, match=what) as caught:
        build(tmp_path, read_tokenizer_settings(tmp_path))
    assert caught.value.where == tmp_path / file


# -- the tokenizer ---------------------------------------------------------------------------------


def test_options_reach_the_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text(
        "\n".join([*VOCABULARY, "café", "cafe", "Cafe", "中", "##中"]), encoding="utf-8"
    )
    text = "Café Cafe 中中"
    assert tokens(make(tmp_path), text) == ["cafe", "cafe", "中", "中"]
    assert tokens(make(tmp_path, strip_accents=False), text)[:2] == ["café", "cafe"]
    assert tokens(make(tmp_path, do_lower_case=False), text)[:2] == ["[UNK]", "Cafe"]
    assert tokens(make(tmp_path, tokenize_chinese_chars=False), text)[2:] == ["中", "##中"]


def test_special_tokens_are_kept_whole(tmp_path: Path) -> None:
    assert tokens(make(tmp_path), "the [MASK] [mask]") == ["the", "[MASK]", *["[UNK]"] * 3]
    library = make(tmp_path, mask_token="<mask>", cls_token="the")
    assert library.encode("<MASK> a<mask>").tokens == [
        "the",
        *["[UNK]"] * 3,
        "a",
        "<mask>",
        "[SEP]",
    ]
    assert library.token_to_id("<mask>") == len(VOCABULARY)


def test_words_longer_than_100_characters_are_unknown(tmp_path: Path) -> None:
    library = make(tmp_path)
    assert tokens(library, "a" + "e" * 99) == ["a", *["##e"] * 99]
    assert tokens(library, "a" + "e" * 100) == ["[UNK]"]


def test_tokens_beside_the_vocabulary(tmp_path: Path) -> None:
    """They get ids in order after it, whatever the files say, as in transformers."""
    decoder = {
        "90": {"content": "Mill X", "normalized": False, "special": False},
        "34": {"content": "<e>", "lstrip": True, "special": True},
        "0": {"content": "[PAD]", "normalized": False, "special": True},
    }
    library = make(tmp_path, added_tokens_decoder=decoder, extra_special_tokens=["<x>"])
    ids = {library.token_to_id(token) for token in ("<e>", "Mill X", "<x>")}
    assert ids == {len(VOCABULARY), len(VOCABULARY) + 1, len(VOCABULARY) + 2}
    assert tokens(library, "a Mill X <x>") == ["a", "Mill X", "<x>"]
    assert library.token_to_id("[PAD]") == 0


def test_added_tokens_json(tmp_path: Path) -> None:
    write_json(tmp_path / "added_tokens.json", {"[E]": 33, "Qux": 32})
    write_json(tmp_path / "special_tokens_map.json", {"additional_special_tokens": ["[E]"]})
    library = make(tmp_path)
    assert [library.token_to_id(token) for token in ("Qux", "[E]")] == [32, 33]
    encoded = library.encode("a qux QUX [E] [e]", add_special_tokens=False)
    unknown = VOCABULARY.index("[UNK]")
    assert encoded.ids == [
        VOCABULARY.index("a"),
        32,
        32,
        33,
        unknown,
        VOCABULARY.index("e"),
        unknown,
    ]


def test_tokens_with_a_role_that_have_a_name(tmp_path: Path) -> None:
    library = make(tmp_path, extra_special_tokens={"image_token": "<img>"})
    assert tokens(library, "a<img>") == ["a", "<img>"]
