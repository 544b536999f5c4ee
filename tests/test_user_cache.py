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


@pytest.mark.skipif(os.name == "nt", reason="owners are POSIX")
@pytest.mark.parametrize(
    ("owner", "mode", "trusted"),
    [
        (1000, 0o755, True),
        (0, 0o755, True),
        (0, 0o700, True),
        (0, 0o775, False),
        (0, 0o1777, False),
        (1000, 0o775, False),
        (1000, 0o757, False),
        (1001, 0o755, False),
        (65534, 0o700, False),
    ],
)
def test_root_and_this_user_are_trusted_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, owner: int, mode: int, trusted: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    status = os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    if trusted:
        check_private(Path("kernels"), status, stat.S_IFDIR)
    else:
        with pytest.raises(PermissionError, match="kernels is a link, or another user owns it"):
            check_private(Path("kernels"), status, stat.S_IFDIR)


@pytest.mark.skipif(os.name == "nt", reason="owners are POSIX")
def test_root_trusts_no_other_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    status = os.stat_result((stat.S_IFDIR | 0o700, 0, 0, 1, 1000, 0, 0, 0, 0, 0))
    with pytest.raises(PermissionError):
        check_private(Path("kernels"), status, stat.S_IFDIR)
