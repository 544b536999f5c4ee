"""Where npbert keeps its own files, on each system, and which of them it trusts."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from npbert import user_cache as module
from npbert.user_cache import check_private, user_cache


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/npbert"),
        ("linux", {"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/npbert"),
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/npbert"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/npbert"),
        ("win32", {"LOCALAPPDATA": "/Local"}, "/Local/npbert/Cache"),
        ("linux", {"NPBERT_CACHE_DIR": "/chosen", "HOME": "/home/me"}, "/chosen"),
    ],
)
def test_the_usual_places(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("XDG_CACHE_HOME", "NPBERT_CACHE_DIR", "LOCALAPPDATA", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module.sys, "platform", platform)
    assert user_cache() == Path(expected)


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPBERT_CACHE_DIR", raising=False)
    monkeypatch.setattr(module.sys, "platform", "win32")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    with pytest.raises(OSError, match="this user has no home directory"):
        user_cache()


def test_what_others_could_have_written_is_refused(tmp_path: Path) -> None:
    def refuse(path: Path, kind: int = stat.S_IFREG) -> None:
        with pytest.raises(
            PermissionError, match="is a link, or another user owns it or may write"
        ):
            check_private(path, os.lstat(path), kind)

    file = tmp_path / "file"
    file.touch(mode=0o600)
    check_private(file, os.lstat(file), stat.S_IFREG)
    refuse(file, stat.S_IFDIR)
    link = tmp_path / "link"
    link.symlink_to(file)
    refuse(link)
    file.chmod(0o622)
    refuse(file)
