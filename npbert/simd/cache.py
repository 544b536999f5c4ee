"""Compiled kernels on disk, so that only the first process compiles.

Numba's own cache (``cache=True``) is not used: it misses edits in other files, gives two sets of
options one entry, raises on a damaged file or a full disk, and loads pickles from anywhere. Here

* one file holds one kernel. Its key names all that the code depends on: every source of `PACKAGES`,
  Numba's options and settings, the versions, the target. The key is the file's name, as a hash, and
  stands inside it, with a SHA-256 of the whole: a file that is cut, flipped, renamed or stale is no
  entry, and the kernel is compiled anew;
* an entry is a pickle, and a pickle is code: it is read only where this user owns the directory and
  the file, and nobody else can write to them. The SHA-256 is against accidents, not attackers;
* nothing here raises into a caller. Where entries cannot be kept, each process compiles its own;
* what npbert uses of Numba's private parts is in this file. Where a release of Numba moves them,
  kernels are not kept, and one warning says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import logging
import os
import re
import shutil
import stat
import sys
import warnings
from pathlib import Path
from typing import Any

from npbert.simd import isa
from npbert.user_cache import check_private, user_cache

PACKAGES = {"npbert.simd": Path(__file__).parent, "npbert.ops": Path(__file__).parents[1] / "ops"}
"""Where the code of kernels comes from. A kernel from elsewhere is not kept: no key would hold."""

_MAGIC = b"npbert kernel 1\n"
_VERSIONS_KEPT = 3  # directories of entries, one per version of the sources; the last ones used
# Settings of Numba that do not reach the code. All others are in the key, also those yet to come.
_NOT_IN_CODE = re.compile("_|CACHE|COLOR|CUDA|HTML|RUNNING_UNDER|SHOW|.*THREAD|.*_CUDA")
_log = logging.getLogger("npbert.cache")
_said: set[str] = set()


def attach(dispatcher: Any, name: tuple[str, ...]) -> None:
    """Let ``dispatcher`` look for its code on disk before it compiles, and keep what it compiles.

    Args:
        dispatcher: what ``numba.njit`` made of a kernel.
        name: what tells the kernel from all others: its module, its name, its signature.

    Raises:
        ConfigError: ``NPBERT_ISA`` names no instruction set.
    """
    function, instruction_set = dispatcher.py_func, isa.current().name
    if function.__module__.rpartition(".")[0] not in PACKAGES or function.__closure__:
        _log.debug("%s is not kept: it is none of npbert's own kernels", ".".join(name[:2]))
    elif _active():
        try:
            dispatcher._cache = _KernelCache(dispatcher, (*name, instruction_set))
        except Exception as error:
            _numba_moved(error)


def has(dispatcher: Any, signature: str) -> bool:
    """Whether there is an entry for ``signature``, so that a call need not announce itself."""
    kept = getattr(dispatcher, "_cache", None)
    if not isinstance(kept, _KernelCache) or not _active():
        return False
    try:
        path, _ = kept.entry(signature, dispatcher.targetctx)
        _check_directories(path.parent)
        return path.is_file()
    except Exception:
        return False


class _KernelCache:
    """Where Numba's dispatcher asks for code before it compiles, and leaves it afterwards.

    Whatever else a dispatcher wants of its cache, the one that Numba gave it answers: that one
    keeps nothing.
    """

    def __init__(self, dispatcher: Any, name: tuple[str, ...]) -> None:
        self._numbas = dispatcher._cache
        for method in ("load_overload", "save_overload"):
            ours, theirs = (inspect.signature(getattr(c, method)) for c in (self, self._numbas))
            if len(ours.parameters) != len(theirs.parameters):
                raise TypeError(f"{method}{theirs}")
        self._name = name
        self._options = sorted(dispatcher.targetoptions.items())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numbas, name)

    def entry(self, sig: Any, target_context: Any) -> tuple[Path, bytes]:
        """The file for ``sig``, and the key that stands in it; OSError where there is no place."""
        arguments, _ = _numba("core.sigutils").normalize_signature(sig)
        sources, versions = ("sources", _SOURCES), ("versions", _versions())
        key = "\n".join(
            f"{part}: {value!r}"
            for part, value in (
                ("name", self._name),
                ("arguments", [str(each) for each in arguments]),
                ("options", self._options),
                ("target", target_context.codegen().magic_tuple()),
                ("settings", _settings()),
                versions,
                sources,
            )
        ).encode()
        version = _hash(repr((sources, versions)).encode())
        return user_cache() / "kernels" / version / f"{self._name[1]}-{_hash(key)}", key

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel, or None: then Numba compiles it."""
        if not _active():
            return None
        try:
            path, key = self.entry(sig, target_context)
            content = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unusable(error)
        except Exception as error:
            return _numba_moved(error)
        try:
            result = _rebuild(target_context, _pickle_of(content, key))
            _, declared = _numba("core.sigutils").normalize_signature(sig)
        except Exception as error:
            _log.debug("removed %s: %s", path, error)
            _remove(path)
            if isinstance(error, AttributeError | ImportError | TypeError):
                _numba_moved(error)
            return None
        with contextlib.suppress(OSError):
            os.utime(path.parent)  # tells `_prune` what is in use
        return result if declared in (None, result.signature.return_type) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what Numba has just compiled."""
        if not _active():
            return
        path = None
        try:
            path, key = self.entry(sig, data.target_context)
            _write(path, key + b"\0" + _reduce(data))
        except OSError as error:
            if path is None or not os.path.isfile(path):  # else another process was faster
                _unusable(error)
        except Exception as error:
            _numba_moved(error)


# -- Numba's private parts -------------------------------------------------------------------------


def _numba(module: str) -> Any:
    return importlib.import_module(f"numba.{module}")


def _versions() -> tuple[object, ...]:
    names = ("numba", "llvmlite", "numpy")
    llvm = importlib.import_module("llvmlite.binding").llvm_version_info
    return (*(importlib.import_module(each).__version__ for each in names), llvm, sys.version)


def _settings() -> list[tuple[str, str]]:
    config = _numba("core.config")
    config.reload_config()  # the compiler begins with this too: the environment may have changed
    names: list[str] = list(config.__dict__)
    used = [each for each in names if each.isupper() and not _NOT_IN_CODE.match(each)]
    return sorted((each, repr(getattr(config, each))) for each in used)


def _reduce(result: Any) -> bytes:
    """Pickle a compiled kernel, with the names of the symbols that its machine code asks for."""
    if result.lifted or result.library.has_dynamic_globals:
        raise TypeError("the code holds addresses of this process")
    # An environment holds Python constants. One that has none would only import its module.
    *parts, environments = result._reduce()
    parts.append(tuple(each for each in environments if each.consts))
    module = result.library._final_module
    symbols = [
        each.name
        for each in (*module.functions, *module.global_variables)
        if each.is_declaration and not each.name.startswith(("llvm.", ".numba.unresolved$"))
    ]
    return _numba("core.serialize").dumps((symbols, parts))


def _rebuild(target_context: Any, pickled: bytes) -> Any:
    """Undo `_reduce`. The bytes must come from a private directory."""
    symbols, parts = _numba("core.serialize").loads(pickled)
    # LLVM aborts the process where a symbol is missing. A refresh provides all, but it costs half a
    # second, and what kernels use is there without it.
    _numba("core.runtime").rtsys.initialize(target_context)
    llvm = importlib.import_module("llvmlite.binding")
    if not all(llvm.address_of_symbol(each) for each in symbols):
        target_context.refresh()
    return _numba("core.compiler").CompileResult._rebuild(target_context, *parts)


def _numba_moved(error: Exception) -> None:
    """Say once that this Numba is not one that this file knows, and keep nothing from here on."""
    if "moved" not in _said:
        _said.add("moved")
        warnings.warn(
            f"npbert cannot keep compiled kernels with Numba {_versions()[0]} "
            f"({type(error).__name__}: {error}). Every process compiles them again, with the same "
            "results. A newer npbert may know this Numba.",
            RuntimeWarning,
            stacklevel=3,
        )


# -- the directory ---------------------------------------------------------------------------------


def _check_directories(directory: Path) -> None:
    for each in (directory.parent, directory):
        check_private(each, os.lstat(each), stat.S_IFDIR)


def _unusable(error: OSError) -> None:
    """Say once that kernels stay in memory: aloud where the user chose the place."""
    if "unusable" in _said:
        return
    _said.add("unusable")
    _log.debug("kernels are kept in memory only: %s", error)
    chosen = os.environ.get("NPBERT_CACHE_DIR")
    if chosen:
        warnings.warn(
            f"the environment variable NPBERT_CACHE_DIR names {chosen!r}, where compiled kernels "
            f"cannot be kept ({error}). Every process compiles them again.",
            RuntimeWarning,
            stacklevel=3,
        )


def _prune(root: Path) -> None:
    """Forget the kernels of old sources."""
    versions = [each for each in root.iterdir() if re.fullmatch("[0-9a-f]{32}", each.name)]
    versions.sort(key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for each in versions[_VERSIONS_KEPT:]:
        shutil.rmtree(each, ignore_errors=True)


# -- one entry: magic, SHA-256 of the rest, key, NUL, pickle ---------------------------------------


def _read(path: Path) -> bytes:
    _check_directories(path.parent)
    with open(path, "rb") as file:
        check_private(path, os.fstat(file.fileno()), stat.S_IFREG)
        return file.read()


def _pickle_of(content: bytes, key: bytes) -> bytes:
    head, body = content[: len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    if head != _MAGIC + hashlib.sha256(body).digest() or not body.startswith(key + b"\0"):
        raise ValueError("damaged, or the entry of another key")
    return body[len(key) + 1 :]


def _write(path: Path, body: bytes) -> None:
    new = not path.parent.exists()
    for each in (path.parent.parent, path.parent):
        os.makedirs(each, mode=0o700, exist_ok=True)
    _check_directories(path.parent)
    unfinished = path.with_name(f"{os.urandom(8).hex()}.tmp")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(body).digest() + body)
        os.replace(unfinished, path)
    except BaseException:
        _remove(unfinished)
        raise
    if new:
        _prune(path.parent.parent)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


# -- the sources -----------------------------------------------------------------------------------


def _sources() -> str:
    """SHA-256 of all that kernels are made of, or "" where there are no files to read (a zip)."""
    digest = hashlib.sha256()
    for name, directory in PACKAGES.items():
        files = sorted(directory.rglob("*.py"))
        if not files:
            return ""
        for path in files:
            try:
                source = path.read_bytes()
            except OSError:
                return ""
            digest.update(f"{name} {path.relative_to(directory)} {len(source)}\n".encode())
            digest.update(source)
    return digest.hexdigest()


_SOURCES = _sources()


def _active() -> bool:
    """Whether entries may be used: not where the files say something else than what was loaded."""
    return "moved" not in _said and bool(_SOURCES) and _sources() == _SOURCES
