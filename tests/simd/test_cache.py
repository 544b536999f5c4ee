"""The kernel cache: warm starts, staleness, damage, hostile directories, and Numba's moves.

The tests compile kernels of a small package of their own in this process, where a new `Kernel` of
the same function asks the disk again. What needs other processes is in ``test_cache_processes.py``.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import itertools
import logging
import os
import pickle
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npbert.simd import cache, entries, isa, sources
from npbert.simd.isa import ISAS, Choice
from npbert.simd.kernel import Kernel

pytestmark = pytest.mark.kernel

SIGNATURE = "void(float64[::1], float64[::1])"
TOYS = """
def triple(x, out):
    for i in range(out.shape[0]):
        out[i] = 3.0 * x[i]

def double(x, out):
    for i in range(out.shape[0]):
        out[i] = 2.0 * x[i]

def past_the_end(x, out):
    out[0] = x[x.shape[0]]
"""
FACTORS = {"triple": 3.0, "double": 2.0}


# -- kernels in this process -----------------------------------------------------------------------


class Toys:
    """A package of functions to compile, and the directory in which the cache keeps them."""

    def __init__(self, package: Path, home: Path) -> None:
        self.source = package / "kernels.py"
        self.module = importlib.import_module(f"{package.name}.kernels")
        self.root = home / "npbert" / "kernels"

    def kernel(self, name: str = "triple") -> Kernel:
        """A new kernel, which knows of nothing that was compiled before."""
        return Kernel(getattr(self.module, name), SIGNATURE)

    def run(self, name: str = "triple") -> bool:
        """Compute with a new kernel, check what it computes, and say whether it was on disk."""
        kernel, x, out = self.kernel(name), np.arange(5.0), np.empty(5)
        kernel(x, out)
        np.testing.assert_array_equal(out, FACTORS[name] * x)
        return sum(kernel.dispatcher.stats.cache_hits.values()) == 1

    def runs(self, *names: str) -> list[bool]:
        """`run` each."""
        return [self.run(name) for name in names]

    def entries(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())


_numbers = itertools.count()


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toys:
    package = tmp_path / f"toy_package_{next(_numbers)}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(TOYS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("NPBERT_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sources, "SOURCES", sources.Sources({package.name: package}))
    monkeypatch.setattr(isa, "_made", {"choice": Choice(ISAS["generic"], isa.target())})
    monkeypatch.setattr(cache, "_said", set())
    return Toys(package, tmp_path / "home")


def test_a_kept_kernel_is_loaded(toys: Toys) -> None:
    kernel = toys.kernel()
    assert not cache.has(kernel.dispatcher, SIGNATURE)
    assert not toys.run()
    assert cache.has(kernel.dispatcher, SIGNATURE)
    assert toys.run()
    assert not toys.run("double")
    assert len(toys.entries()) == 2


def test_entries_are_for_this_user_alone(toys: Toys) -> None:
    toys.run()
    (entry,) = toys.entries()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    for directory in (entry.parent, entry.parent.parent, toys.root):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_kernel_of_unknown_sources_is_not_kept(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES", sources.Sources({}))
    assert not toys.run()
    assert not toys.run()
    assert toys.entries() == []


def test_a_closure_is_not_kept(toys: Toys) -> None:
    factor = 5.0

    def scaled(x, out):  # type: ignore[no-untyped-def]
        for i in range(out.shape[0]):
            out[i] = factor * x[i]

    scaled.__module__ = toys.module.__name__
    kernel, out = Kernel(scaled, SIGNATURE), np.empty(2)
    kernel(np.ones(2), out)
    assert out.tolist() == [5.0, 5.0]
    assert toys.entries() == []


def test_another_return_type_is_another_kernel(toys: Toys) -> None:
    import numba

    def halves() -> Any:
        def half(x):  # type: ignore[no-untyped-def]
            return x / 2

        half.__module__ = toys.module.__name__
        dispatcher = numba.njit(half)
        cache.attach(dispatcher, (half.__module__, "half", ""))
        return dispatcher

    halves().compile("float64(float64)")
    single = halves()
    single.compile("float32(float64)")
    assert not single.stats.cache_hits
    assert single.nopython_signatures[0].return_type == numba.float32


# -- the key ---------------------------------------------------------------------------------------


def test_a_process_whose_sources_changed_neither_reads_nor_writes(toys: Toys) -> None:
    kernel = toys.kernel()
    toys.run()
    toys.source.write_text(TOYS.replace("3.0", "30.0"))  # this process still runs the 3.0
    assert not cache.has(kernel.dispatcher, SIGNATURE)
    assert not toys.run()
    assert not toys.run("double")
    assert len(toys.entries()) == 1
    toys.source.write_text(TOYS)
    assert toys.run()


def test_bounds_checked_code_is_another_entry(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    x, out = np.arange(3.0), np.empty(1)
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)  # this may be a bounds-checked run
    toys.kernel("past_the_end")(x[:2], out)  # one past the end, unchecked
    assert out[0] == 2.0
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    for expected_hits in (0, 1):
        kernel = toys.kernel("past_the_end")
        with pytest.raises(IndexError, match="out of bounds"):
            kernel(x[:2], out)
        assert sum(kernel.dispatcher.stats.cache_hits.values()) == expected_hits
    monkeypatch.delenv("NUMBA_BOUNDSCHECK")
    toys.kernel("past_the_end")(x[:2], out)
    assert len(toys.entries()) == 2


def test_what_the_key_tells_apart(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    function = toys.module.triple

    def path(name: str = "triple", arguments: str = SIGNATURE, **options: Any) -> Path:
        dispatcher = numba.njit(**options)(function)
        cache.attach(dispatcher, ("module", name, SIGNATURE))
        return dispatcher._cache.entry(arguments, made_for)[0]

    made_for = isa.choice()
    seen = [path(), path(name="other"), path(arguments="void(float32[::1], float64[::1])")]
    seen += [path(boundscheck=True), path(error_model="numpy"), path(nogil=True)]
    for setting, value in {"OPT": 1, "SLP_VECTORIZE": 1, "LOOP_VECTORIZE": 0}.items():
        with monkeypatch.context() as patched:
            patched.setattr(numba.config, setting, value)
            seen.append(path())
    made_for = Choice(ISAS["neon"], made_for.target)
    seen.append(path())
    made_for = Choice(ISAS["neon"], ("a-triple", "a-cpu", ""))
    seen.append(path())
    monkeypatch.setattr(sources, "versions", lambda: ("0.0.0",))
    seen.append(path())
    assert len(set(seen)) == len(seen)


def test_a_return_type_left_open_is_the_same_entry(toys: Toys) -> None:
    """A kernel that another kernel calls is compiled for its arguments alone."""
    toys.run()
    kernel = toys.kernel()
    types = importlib.import_module("numba").types
    kernel.dispatcher.compile((types.float64[::1], types.float64[::1]))
    assert sum(kernel.dispatcher.stats.cache_hits.values()) == 1


def test_old_versions_are_forgotten(toys: Toys) -> None:
    toys.root.mkdir(parents=True, mode=0o700)
    for age in range(5):
        version = toys.root / f"{age:032x}"
        version.mkdir()
        (version / "entry").touch()
        os.utime(version, (1e9 - age, 1e9 - age))
    (toys.root / "not ours").mkdir()
    toys.run()
    assert toys.run()
    current = toys.entries()[-1].parents[1].name
    kept = {current, "not ours", f"{0:032x}", f"{1:032x}"}
    assert {path.name for path in toys.root.iterdir()} == kept


# -- code for another target -----------------------------------------------------------------------


@pytest.fixture
def level(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> Choice:
    """This process chose a level, of which there is an entry; the machine's own is gone."""
    own = isa.choice()
    toys.run()
    (entry,) = toys.entries()
    chosen = Choice(own.isa, ("a-triple", "a-cpu", "+features"))
    kept = toys.kernel().dispatcher._cache
    path, key = kept.entry(SIGNATURE, chosen)
    entries.write(path, key, entries.pickle_of(entry.read_bytes(), kept.entry(SIGNATURE, own)[1]))
    entry.unlink()
    monkeypatch.setattr(isa, "_made", {"choice": chosen})
    return chosen


def test_a_levels_code_is_loaded(toys: Toys, level: Choice) -> None:
    before = toys.entries()
    assert cache.has(toys.kernel().dispatcher, SIGNATURE)
    assert cache.has(toys.kernel().dispatcher, SIGNATURE, level)
    assert toys.run()
    assert toys.entries() == before


def test_what_a_level_lacks_is_compiled_for_this_machine(toys: Toys, level: Choice) -> None:
    assert not cache.has(toys.kernel("double").dispatcher, SIGNATURE)
    assert not toys.run("double")
    assert toys.runs("double", "triple") == [True, True]
    assert cache.has(toys.kernel("double").dispatcher, SIGNATURE)
    assert not cache.has(toys.kernel("double").dispatcher, SIGNATURE, level)
    of_level, own = sorted(toys.entries(), key=lambda path: path.name, reverse=True)
    assert own.parent == entries.directory(level.isa.name, isa.target())
    assert of_level.parent == entries.directory(level.isa.name, level.target)


def test_a_levels_damaged_entry_is_compiled_for_this_machine(toys: Toys, level: Choice) -> None:
    (entry,) = toys.entries()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert not toys.run()
    assert toys.run()
    (own,) = toys.entries()
    assert own.parent == entries.directory(level.isa.name, isa.target())


def test_a_levels_damaged_entry_that_cannot_be_removed(
    toys: Toys, level: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = toys.entries()
    entry.write_bytes(entry.read_bytes()[:-1])
    monkeypatch.setattr(Path, "unlink", _refuse)
    assert not toys.run()
    assert toys.run()
    assert len(toys.entries()) == 2


def _refuse(*_: Any) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


# -- damage ----------------------------------------------------------------------------------------


def _flipped(content: bytes, offset: int) -> bytes:
    return content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :]


def test_a_damaged_entry_is_replaced(toys: Toys) -> None:
    toys.run()
    (entry,) = toys.entries()
    good = entry.read_bytes()
    size = len(good)
    damaged = [good[:length] for length in (0, 1, 16, 47, 48, size // 2, size - 1)]
    damaged += [_flipped(good, offset) for offset in (0, 20, 60, size // 3, size // 2, size - 1)]
    damaged += [good + b"\0", good[:100] + good, b"\0" * size]
    for content in damaged:
        entry.write_bytes(content)
        assert not toys.run()
        assert toys.run()
        assert toys.entries() == [entry]


def test_another_kernels_entry_is_not_taken(toys: Toys) -> None:
    """The names are equally long, so that only the comparison of the keys stands in the way."""
    toys.run("double")
    (foreign,) = toys.entries()
    toys.run("triple")
    (entry,) = set(toys.entries()) - {foreign}
    shutil.copy(foreign, entry)
    assert not toys.run("triple")
    assert toys.run("triple")


def _forge(path: Path, key: bytes, pickled: bytes) -> None:
    body = key + b"\0" + pickled
    path.write_bytes(b"npbert kernel 1\n" + hashlib.sha256(body).digest() + body)


def test_an_entry_that_is_no_pickle_is_replaced(toys: Toys) -> None:
    toys.run()
    (entry,) = toys.entries()
    kernel = toys.kernel()
    _, key = kernel.dispatcher._cache.entry(SIGNATURE, isa.choice())
    _forge(entry, key, b"no pickle")
    assert not toys.run()
    assert toys.run()


# -- nowhere to write ------------------------------------------------------------------------------


def test_a_full_disk(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not toys.run()
    assert not toys.run()
    assert toys.entries() == []


def _file_for_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))


def _file_for_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / "npbert").mkdir(parents=True)
    (tmp_path / "home" / "npbert" / "kernels").touch()


def _read_only_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modes do not stop root, who may run this: the system calls say what such a disk says."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "makedirs", refuse)


def _no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nor an entry in the user table


def _relative_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "relative")


NOWHERE = [_file_for_a_home, _file_for_the_directory, _read_only_home, _no_home, _relative_home]


@pytest.mark.parametrize("spoil", NOWHERE)
def test_nowhere_to_write(
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    toys: Toys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil(tmp_path, monkeypatch)
    caplog.set_level(logging.DEBUG, "npbert.cache")
    assert not toys.run()
    assert not toys.run()
    assert not cache.has(toys.kernel().dispatcher, SIGNATURE)
    (record,) = caplog.records
    assert "in memory only" in record.message
    assert not (tmp_path / "relative").exists()


@pytest.mark.parametrize(
    "value", ["{tmp}/file", "{tmp}/file/below", "/dev/null", "{tmp}/" + "x" * 300]
)
def test_an_unusable_chosen_directory_is_one_warning(
    value: str, toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NPBERT_CACHE_DIR", value.format(tmp=tmp_path))
    with pytest.warns(RuntimeWarning, match="NPBERT_CACHE_DIR names .* cannot be kept") as caught:
        assert toys.runs("triple", "triple", "double") == [False] * 3
    assert len(caught) == 1


def test_a_chosen_directory(toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "chosen"))
    toys.run()
    assert toys.run()
    assert toys.entries() == []
    assert len(list((tmp_path / "chosen" / "kernels").iterdir())) == 1


# -- hostile directories ---------------------------------------------------------------------------


class Bomb:
    """What an attacker would pickle: loading it makes a directory."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.crater),)


@pytest.fixture
def bomb(toys: Toys, tmp_path: Path) -> Path:
    """A perfect entry with a bomb in it; returns what exists if it went off."""
    toys.run()
    (entry,) = toys.entries()
    kernel = toys.kernel()
    _, key = kernel.dispatcher._cache.entry(SIGNATURE, isa.choice())
    _forge(entry, key, pickle.dumps(Bomb(tmp_path / "crater")))
    return tmp_path / "crater"


def test_the_bomb_is_live(toys: Toys, bomb: Path) -> None:
    """In a private directory, an entry is trusted: otherwise the tests below would show nothing."""
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels"):
        assert not toys.run()
    assert bomb.exists()


def _world_writable_root(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.root.chmod(0o777)


def _group_writable_version(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.entries()[0].parents[1].chmod(0o770)


def _world_writable_target(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.entries()[0].parent.chmod(0o777)


def _world_writable_entry(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.entries()[0].chmod(0o666)


def _linked_root(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.root.rename(toys.root.parent / "elsewhere")
    toys.root.symlink_to(toys.root.parent / "elsewhere")


def _linked_version(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    version = toys.entries()[0].parents[1]
    version.rename(toys.root / "elsewhere")
    version.symlink_to(toys.root / "elsewhere")


def _linked_target(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    target = toys.entries()[0].parent
    target.rename(toys.root / "elsewhere")
    target.symlink_to(toys.root / "elsewhere")


def _linked_entry(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = toys.entries()
    entry.rename(toys.root / "elsewhere")
    entry.symlink_to(toys.root / "elsewhere")


def _foreign_owner(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
    else:
        os.chown(toys.root, 1234, 1234)


HOSTILE = [
    _world_writable_root,
    _group_writable_version,
    _world_writable_target,
    _world_writable_entry,
    _linked_root,
    _linked_version,
    _linked_target,
    _linked_entry,
    _foreign_owner,
]


@pytest.mark.skipif(os.name == "nt", reason="modes and owners are POSIX")
@pytest.mark.parametrize("spoil", HOSTILE)
def test_nothing_is_loaded_from_a_hostile_directory(
    spoil: Callable[[Toys, pytest.MonkeyPatch], None],
    toys: Toys,
    bomb: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(toys, monkeypatch)
    assert not toys.run()
    assert not toys.run("double")
    assert not bomb.exists()


# -- Numba's private parts -------------------------------------------------------------------------


def _without(module: str, owner: str, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def move(monkeypatch: pytest.MonkeyPatch) -> None:
        found = importlib.import_module(f"numba.core.{module}")
        monkeypatch.delattr(getattr(found, owner) if owner else found, name)

    return move


def _another_load_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    caching = importlib.import_module("numba.core.caching")
    monkeypatch.setattr(caching.NullCache, "load_overload", lambda self, sig, context, more=0: None)


def _another_reduce(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = importlib.import_module("numba.core.compiler")
    monkeypatch.setattr(compiler.CompileResult, "_reduce", lambda self, how: ())


def _no_serialize(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> Any:
        if name == "core.serialize":
            raise ModuleNotFoundError(name)
        return importlib.import_module(f"numba.{name}")

    monkeypatch.setattr(cache, "_numba", import_module)


MOVES = {
    "_reduce": _without("compiler", "CompileResult", "_reduce"),
    "serialize": _no_serialize,
    "reload_config": _without("config", "", "reload_config"),
    "magic_tuple": _without("codegen", "CPUCodegen", "magic_tuple"),
    "load_overload": _another_load_overload,
    "_reduce's arguments": _another_reduce,
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_numba_that_has_moved(
    move: Callable[[pytest.MonkeyPatch], None], toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.run("double")  # compiles, and with it Numba imports all it will
    if move is MOVES["reload_config"]:
        compiler = importlib.import_module("numba.core.compiler")
        monkeypatch.setattr(compiler, "config", _Config(compiler.config))
    move(monkeypatch)
    with pytest.warns(RuntimeWarning, match=r"cannot keep .* with Numba .*same results") as caught:
        assert toys.runs("triple", "triple", "double") == [False] * 3
    assert len(caught) == 1


class _Config:
    """The compiler's own view of Numba's settings, which still has what the move took away."""

    def __init__(self, config: Any) -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)

    def reload_config(self) -> None:
        pass


@pytest.mark.parametrize("name", ["_rebuild", "loads"])
def test_a_numba_that_no_longer_loads(
    name: str, toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.run()
    owner = ("serialize", "") if name == "loads" else ("compiler", "CompileResult")
    _without(*owner, name)(monkeypatch)
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels") as caught:
        assert toys.runs("triple", "triple") == [False] * 2
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (["NRT_MemInfo_call_dtor", "PyExc_TypeError"], []),
        (["NRT_MemInfo_call_dtor", "no_such_symbol"], ["runtime", "refresh"]),
    ],
)
def test_only_what_is_missing_is_provided(
    symbols: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    class Context:
        def refresh(self) -> None:
            done.append("refresh")

    runtime = importlib.import_module("numba.core.runtime")
    monkeypatch.setattr(runtime.rtsys, "initialize", lambda context: done.append("runtime"))
    cache._provide(symbols, Context())
    assert done == expected


def test_helpers_that_have_moved_are_provided_by_the_runtime(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.run()
    monkeypatch.delattr(importlib.import_module("numba.core.runtime._nrt_python"), "c_helpers")
    assert toys.run()


def test_a_dispatcher_without_a_cache_is_one_warning(toys: Toys) -> None:
    class Moved:
        py_func = toys.module.triple
        targetoptions: dict[str, Any] = {}  # noqa: RUF012

    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels") as caught:
        cache.attach(Moved(), ("module", "triple", SIGNATURE))
    cache.attach(Moved(), ("module", "triple", SIGNATURE))
    assert len(caught) == 1
    assert not cache.has(Moved(), SIGNATURE)
