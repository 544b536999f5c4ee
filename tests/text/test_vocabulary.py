"""Vocabularies that are read, and those that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import ConfigError, ModelFileError, NpbertError
from npbert.text import vocabulary as module
from npbert.text.vocabulary import check_fits, read_vocabulary, vocabulary_bytes

NEEDED = ("[UNK]", "[CLS]")
TOKENS = ["[UNK]", "[CLS]", "the", "##s"]


def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_a_list(kind: type) -> None:
    assert read_vocabulary(kind(TOKENS), NEEDED) == tuple(TOKENS)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " \t\u3000\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_file_with_any_line_ends(tmp_path: Path, end: str, last: bool) -> None:
    content = end.join(TOKENS) + end * last
    path = file(tmp_path, content.encode())
    assert read_vocabulary(path, NEEDED) == tuple(TOKENS)
    assert read_vocabulary(str(path), NEEDED) == tuple(TOKENS)


def test_lines_end_at_line_breaks_alone_and_keep_what_they_begin_with(tmp_path: Path) -> None:
    path = file(tmp_path, "[UNK]\n[CLS]\n a\u2028b\n\x0bc\x1cd\n".encode())
    assert read_vocabulary(path, NEEDED)[2:] == (" a\u2028b", "\x0bc\x1cd")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"does not exist[\s\S]*nowhere\.txt"):
        read_vocabulary(tmp_path / "nowhere.txt", NEEDED)


def test_a_directory_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_vocabulary(tmp_path, NEEDED)
    with pytest.raises(ModelFileError, match="empty"):
        read_vocabulary(file(tmp_path, b""), NEEDED)


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 5)
    with pytest.raises(ModelFileError, match="larger than 5 bytes"):
        read_vocabulary(file(tmp_path, b"[UNK]\n"), NEEDED)


@pytest.mark.parametrize("content", [b"[UNK]\n\xff\n", "[UNK]\n".encode("utf-16")])
def test_not_utf_8(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"not UTF-8 at byte [06][\s\S]*vocabulary\.txt"):
        read_vocabulary(file(tmp_path, content), NEEDED)


def test_duplicates() -> None:
    with pytest.raises(ConfigError, match=r"has 'the' twice[\s\S]*ids 2 and 4"):
        read_vocabulary([*TOKENS, "the"], NEEDED)


def test_duplicates_but_for_the_white_space_at_the_end(tmp_path: Path) -> None:
    path = file(tmp_path, b"[UNK]\n[CLS]\nthe\nthe \n")
    with pytest.raises(ConfigError, match=r"has 'the' twice[\s\S]*vocabulary\.txt"):
        read_vocabulary(path, NEEDED)


@pytest.mark.parametrize("lacking", NEEDED)
def test_a_token_that_every_bert_has(lacking: str) -> None:
    rest = [token for token in TOKENS if token != lacking]
    with pytest.raises(ConfigError, match=rf"the vocabulary lacks \{lacking}\."):
        read_vocabulary(rest, NEEDED)


@pytest.mark.parametrize("wrong", [None, 3, b"x", 1.5])
def test_tokens_are_str(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"must be a str[\s\S]*vocabulary, id 4"):
        read_vocabulary([*TOKENS, wrong], NEEDED)


@pytest.mark.parametrize("wrong", [None, 3])
def test_no_vocabulary(wrong: object) -> None:
    with pytest.raises(ConfigError, match="must be a list of tokens or the path"):
        read_vocabulary(wrong, NEEDED)


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    tokens = ["[UNK]", "[CLS]", " a", "é漢", "\u2028b", "#", ""]
    path = file(tmp_path, vocabulary_bytes(tokens))
    assert path.read_bytes().count(b"\n") == len(tokens)
    assert list(read_vocabulary(path, NEEDED)) == tokens


@pytest.mark.parametrize("wrong", ["a ", "a\u3000", "a\nb", "a\rb", "\x1c", "\ud800"])
def test_tokens_that_a_file_cannot_hold(wrong: str) -> None:
    with pytest.raises(ConfigError, match="the vocabulary cannot be saved"):
        vocabulary_bytes([*TOKENS, wrong, "z"])


@given(st.lists(st.text(st.characters()), unique=True))
def test_a_vocabulary_is_saved_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[str]
) -> None:
    try:
        content = vocabulary_bytes(tokens)
    except NpbertError:
        return
    if tokens:
        path = file(tmp_path_factory.mktemp("v"), content)
        assert list(read_vocabulary(path, ())) == tokens


def test_check_fits() -> None:
    check_fits(23, 23, "here")
    check_fits(22, 23, "here")
    with pytest.raises(ConfigError, match=r"does not belong[\s\S]*24 tokens; vocabulary_size=23"):
        check_fits(24, 23, "here")
