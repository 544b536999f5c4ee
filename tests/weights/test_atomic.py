"""Files that take their names when they are whole, and leave the old ones alone until then."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from npbert.errors import ConfigError
from npbert.weights import atomic
from npbert.weights.atomic import atomic_write, replacing, replacing_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# -- one file --------------------------------------------------------------------------------------


def test_a_new_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "new") as file:
        file.write(b"content")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new").read_bytes() == b"content"
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_old_file_stays_whole_when_writing_fails(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with atomic_write(path) as file:
            file.write(b"new, but ")
            assert path.read_bytes() == b"old"
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert names(tmp_path) == ["old"]
    assert path.read_bytes() == b"old"


@posix
def test_the_mode_and_the_link_stay(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o440)
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o440


@posix
def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "new"), atomic_write(tmp_path / "private", mode=0o600):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600


def test_synced_before_it_takes_its_name_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def rename(old: Path, new: Path) -> None:
        steps.append("rename")
        replace(old, new)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    monkeypatch.setattr(atomic.os, "replace", rename)
    with replacing_file(tmp_path / "new") as temporary:
        temporary.write_bytes(b"content")
    assert steps == ["file", "rename", "folder"] or sys.platform == "win32"


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    (tmp_path / "old").write_bytes(b"old")
    monkeypatch.setattr(atomic.os, call, full)

    def write() -> None:
        with atomic_write(tmp_path / "old") as file:
            file.write(b"new")

    with pytest.raises(ConfigError, match="what was there before is as it was") as error:
        write()
    assert error.value.received == "No space left on device"
    assert error.value.where == tmp_path / "old"
    monkeypatch.undo()
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_device_that_is_full(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_write(tmp_path / "new") as file:
            os.dup2(os.open("/dev/full", os.O_WRONLY), file.fileno())
            file.write(bytes(100_000))

    with pytest.raises(ConfigError, match="No space left on device"):
        write()
    assert names(tmp_path) == []


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="no file can be written here") as error:
        atomic_write(tmp_path / "folder").__enter__()
    assert error.value.received == "a directory"


@posix
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="a device, a pipe or a socket"):
        atomic_write(tmp_path / "pipe").__enter__()
    with pytest.raises(ConfigError, match="a device, a pipe or a socket"):
        atomic_write(Path("/dev/null")).__enter__()


@posix
def test_a_cycle_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConfigError):
        atomic_write(tmp_path / "a").__enter__()
    assert names(tmp_path) == ["a", "b"]


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not be written"):
        atomic_write(tmp_path / "missing" / "new").__enter__()
    assert names(tmp_path) == []


# -- several files ---------------------------------------------------------------------------------


def test_all_of_them_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def write(error: type[Exception] | None) -> None:
        with replacing(tmp_path) as files:
            files.folder(tmp_path / "deep" / "er")
            files.file(tmp_path / "a").write_text("new")
            files.file(tmp_path / "deep" / "er" / "b").write_text("new")
            assert (tmp_path / "a").read_text() == "old"
            if error:
                raise error

    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"
    write(None)
    assert names(tmp_path) == ["a", "deep"]
    assert (tmp_path / "a").read_text() == "new"
    assert names(tmp_path / "deep" / "er") == ["b"]


def test_old_files_go_just_before_the_last_new_one_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_text("old")
    seen: list[list[str]] = []
    replace = os.replace

    def rename(old: Path, new: Path) -> None:
        seen.append([name for name in names(tmp_path) if not name.startswith(".")])
        replace(old, new)

    monkeypatch.setattr(atomic.os, "replace", rename)
    with replacing(tmp_path) as files:
        files.remove(tmp_path / "old")
        files.remove(tmp_path / "never there")
        files.json(tmp_path / "a", {"é": 1})
        files.json(tmp_path / "b", {})
    assert seen == [["old"], ["a"]]
    assert (tmp_path / "a").read_text() == '{\n    "\\u00e9": 1\n}'


@pytest.mark.parametrize("after", [False, True])
def test_an_interruption_among_the_names_does_not_stop_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    replace, calls = os.replace, [0]

    def interrupted(old: Path, new: Path) -> None:
        calls[0] += 1
        if after or calls[0] != 2:
            replace(old, new)
        if calls[0] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", interrupted)

    def write() -> None:
        with replacing(tmp_path) as files:
            for name in "abc":
                files.file(tmp_path / name).write_text("new")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert names(tmp_path) == ["a", "b", "c"]


def test_scratch_is_gone(tmp_path: Path) -> None:
    with replacing(tmp_path) as files:
        files.scratch(tmp_path).write_text("for a while")
    assert names(tmp_path) == []


@posix
def test_a_link_among_several_is_replaced_itself(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("shared with others")
    (tmp_path / "a").symlink_to("blob")
    with replacing(tmp_path) as files:
        files.file(tmp_path / "a").write_text("new")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "blob").read_text() == "shared with others"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def write() -> None:
        with replacing(tmp_path) as files:
            files.folder(tmp_path / "file")

    with pytest.raises(ConfigError, match="this is not a directory"):
        write()
