"""`@kernel`: the one place where Numba is told how to compile.

Rules that hold for every kernel (a test greps for any other use of ``njit``):

* ``nogil``: kernels run on npbert's own threads.
* ``error_model="numpy"``: Python's error model puts a branch for ZeroDivisionError before every
  division and keeps loops from becoming vector code.
* no ``fastmath`` of any kind, no ``parallel``: both change bits with the machine or the moment.
* arguments are checked, contiguous, aligned arrays of the one declared signature; a kernel writes
  into ``out``, allocates nothing and raises nothing.

A kernel compiles when it is first called or `prepare`\\ d, never at import, and is kept by
`npbert.simd.cache`.

Every kernel has one source and a variant for each precision: ``layer_norm_kernel[FLOAT64]``.
Without an index it is the one for float32.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from npbert import simd
from npbert.errors import KernelError
from npbert.simd import cache
from npbert.simd.precision import FLOAT32, Precision

OPTIONS = {"nogil": True, "error_model": "numpy"}
_compiling = threading.RLock()


def _unlock() -> None:
    """In a forked child: the thread that held the lock is gone."""
    global _compiling
    _compiling = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Kernel:
    """A function that Numba compiles for one signature, the first time it is needed.

    Args:
        function: the Python source; it may call other kernels and the names of `npbert.simd`.
        pattern: its signature in Numba's notation, for instance ``"void(real[:, ::1], int64)"``,
            where ``real`` and ``stored`` stand for types of the precision.
        precision: what it computes in.
    """

    def __init__(
        self, function: Callable[..., Any], pattern: str, precision: Precision = FLOAT32
    ) -> None:
        self.function = function
        self.precision = precision
        self.signature = precision.signature(pattern)
        self.name = f"{function.__name__}{_suffix(precision)}"
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._pattern = pattern
        self._variants = {precision: self}
        self._dispatcher: Any = None
        self._ready = False

    def __getitem__(self, precision: Precision) -> Kernel:
        """The variant for a precision; one for several where they would be the same code."""
        if self._pattern and "stored" not in self._pattern and not precision.rounded:
            precision = precision.plain
        found = self._variants.get(precision)
        if found is None:
            made = Kernel(self.function, self._pattern, precision)
            made._variants = self._variants
            found = self._variants.setdefault(precision, made)
        return found

    @property
    def plain(self) -> PlainKernel:
        """The kernel's variants for precisions that neither widen nor round."""
        return PlainKernel(self)

    def __call__(self, *arguments: Any) -> None:
        if not self._ready:
            if not self.signature:
                raise KernelError(
                    f"{self.name} is a piece of kernels, and cannot be called itself."
                )
            self.prepare()
        self._dispatcher(*arguments)

    @property
    def dispatcher(self) -> Any:
        """Numba's dispatcher, with nothing compiled yet: what another kernel calls."""
        with _compiling:
            if self._dispatcher is None:
                self._dispatcher = self._make_dispatcher()
            return self._dispatcher

    @property
    def ready(self) -> bool:
        """Whether a call runs at once."""
        return self._ready

    def load(self) -> bool:
        """Make the kernel ready if its compiled code is on disk; returns whether it is ready."""
        if not self._ready and cache.has(self.dispatcher, self.signature):
            self.prepare()
        return self._ready

    def prepare(self) -> None:
        """Make the kernel ready: load the compiled code, or compile it.

        Raises:
            KernelError: Numba cannot compile (its JIT is switched off, or the install is broken).
        """
        with _compiling:
            if not self._ready:
                self.dispatcher.compile(self.signature)
                self.dispatcher.disable_compile()
                self._ready = True

    @property
    def _numba_type_(self) -> Any:
        """Numba asks for this where one kernel's source names another."""
        return self.dispatcher._numba_type_

    def _make_dispatcher(self) -> Any:
        numba = import_numba()
        function = _in_precision(self.function, self.precision)
        if not self.signature:
            return numba.njit(forceinline=True, **OPTIONS)(function)
        dispatcher = numba.njit(**OPTIONS)(function)
        cache.attach(dispatcher, (self.function.__module__, self.name, self.signature))
        return dispatcher

    def __repr__(self) -> str:
        return f"<kernel {self.function.__module__}.{self.name}>"


class PlainKernel:
    """A kernel, but ``[precision]`` is its variant for ``precision.plain``.

    What another kernel calls on values that are never rounded or stored, whatever its precision.
    """

    def __init__(self, of: Kernel) -> None:
        self._of = of

    def __getitem__(self, precision: Precision) -> Kernel:
        return self._of[precision.plain]

    def __call__(self, *arguments: Any) -> None:
        self._of(*arguments)

    @property
    def _numba_type_(self) -> Any:
        return self._of._numba_type_


def _suffix(precision: Precision) -> str:
    """What tells the compiled code of one variant from that of another."""
    return "" if precision == FLOAT32 else f"_{precision.name}"


def _in_precision(function: Callable[..., Any], precision: Precision) -> Callable[..., Any]:
    """The function, but where its source says `npbert.simd` or a kernel, those of ``precision``."""
    if precision == FLOAT32 or not isinstance(function, FunctionType):
        return function
    names = {name: _variant(value, precision) for name, value in function.__globals__.items()}
    name = f"{function.__name__}{_suffix(precision)}"
    made = FunctionType(function.__code__, names, name, None, function.__closure__)
    made.__qualname__ = name
    return made


def _variant(value: object, precision: Precision) -> object:
    if value is simd:
        return simd.of(precision)
    return value[precision] if isinstance(value, Kernel | PlainKernel) else value


def kernel(pattern: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorate a function as a kernel whose signature is of this pattern."""

    def decorate(function: Callable[..., Any]) -> Kernel:
        return Kernel(function, pattern)

    return decorate


def inline(function: Callable[..., Any]) -> Kernel:
    """Decorate a piece that several kernels share: its code is copied into each of them.

    It may take and return `f32x16` values, and cannot be called from Python.
    """
    return Kernel(function, "")


def import_numba() -> Any:
    """Import Numba, or say how to make it importable.

    Raises:
        KernelError: Numba is missing, broken, or told not to compile.
    """
    try:
        import numba
    except Exception as error:
        raise KernelError(
            "Numba cannot be imported, and every kernel of npbert needs it.",
            received=f"{type(error).__name__}: {error}",
            fix="pip install --force-reinstall numba; npbert.reference runs without it, slowly",
        ) from error
    if numba.config.DISABLE_JIT:
        raise KernelError(
            "Numba's JIT is switched off, and kernels exist only as compiled code.",
            where="environment variable NUMBA_DISABLE_JIT",
            received=os.environ.get("NUMBA_DISABLE_JIT"),
            fix="unset it, or use npbert.reference, which is plain NumPy",
        )
    return numba
