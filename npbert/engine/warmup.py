"""Every kernel compiled ahead of time: for this machine, or for levels that other machines run.

Each target has a process of its own, for Numba's is fixed when it starts. In it, the kernels are
compiled one after another: the layer's kernel is most of the work and contains the others, and so
two processes would take as long as one.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from npbert.dtype_policy import FLOAT32, DTypePolicy
from npbert.errors import ConfigError, KernelError
from npbert.simd import cache, entries, isa
from npbert.simd.isa import ISAS, Choice
from npbert.simd.kernel import Kernel
from npbert.simd.precision import FLOAT64, PRECISIONS, Precision
from npbert.simd.sources import PACKAGES, SOURCES
from npbert.user_cache import user_cache

_CHILD: Final = """
import sys
sys.path[:] = {path!r}
from npbert.engine import warmup
warmup.compile_here()
"""


class Work(NamedTuple):
    """What there is to do for one target."""

    choice: Choice
    is_level: bool
    """Whether it is a level rather than the machine's own target."""
    missing: list[str]
    """The names of the kernels that are not on disk."""


def kernels(policy: DTypePolicy = FLOAT32) -> dict[str, Kernel]:
    """Every kernel that can be called, by its full name: of all ops, and of what they are made.

    Args:
        policy: of models. Whatever it is, kernels of float32 are among them: what is done with
            outputs, such as comparing vectors, calls these.
    """
    precisions = (PRECISIONS["float32"], PRECISIONS[policy.name.removeprefix("mixed_")])
    return _variants(precisions)


def _variants(precisions: Iterable[Precision]) -> dict[str, Kernel]:
    for module in pkgutil.iter_modules([str(PACKAGES["npbert.ops"])]):
        importlib.import_module(f"npbert.ops.{module.name}")
    ours = [
        vars(module).values()
        for name, module in list(sys.modules.items())
        if name.rpartition(".")[0] in PACKAGES
    ]
    called = [
        value
        for values in ours
        for value in list(values)
        if isinstance(value, Kernel) and value.signature
    ]
    found = [_variant(each, precision) for precision in precisions for each in called]
    return {f"{each.function.__module__}.{each.name}": each for each in found}


def _variant(kernel: Kernel, precision: Precision) -> Kernel:
    """The kernel of a precision; one that sees whole numbers alone is the same for all."""
    return kernel if kernel[FLOAT64].signature == kernel.signature else kernel[precision]


def works(levels: Sequence[str] = (), policy: DTypePolicy = FLOAT32) -> list[Work]:
    """What is missing for each of these levels, or for the machine itself where there are none.

    Args:
        levels: by name.
        policy: as in `kernels`.

    Raises:
        ConfigError: a level is unknown (also one that ``NPBERT_ISA`` names), or is one of another
            architecture than this machine's.
    """
    wanted = kernels(policy)
    return [
        Work(
            choice,
            bool(levels),
            [
                name
                for name, kernel in wanted.items()
                if not cache.has(kernel.dispatcher, kernel.signature, choice)
            ],
        )
        for choice in _choices(levels)
    ]


def _choices(levels: Sequence[str]) -> list[Choice]:
    own = isa.target()
    if not levels:
        return [Choice(ISAS[isa.forced_level() or isa.of_target(own)], own)]
    possible = isa.levels(own[0])
    for name in levels:
        if name not in possible:
            raise ConfigError(
                f"kernels for {name!r} cannot be compiled on this machine ({own[0]})."
                if name in ISAS
                else f"{name!r} is no instruction set of npbert.",
                expected=f"some of: {', '.join(possible)}" if possible else "none",
                fix="run `npbert warmup` on a machine of that kind" if name in ISAS else None,
            )
    return [Choice(ISAS[name], possible[name]) for name in dict.fromkeys(levels)]


def compile_missing(todo: Sequence[Work], advance: Callable[[int], None]) -> None:
    """Compile what is missing, each target in a process of its own; ``advance(1)`` after each.

    An interrupt ends the processes: what was finished is kept, whole.

    Raises:
        ConfigError: there is no place where the kernels could be kept.
        KernelError: a kernel does not compile.
    """
    todo = [work for work in todo if work.missing]
    for work in todo:
        _check_place(work)
    reading, writing = os.pipe()
    children: list[_Child] = []
    with open(reading, "rb") as lines:
        try:
            try:
                for work in todo:
                    children.append(_Child(work, writing))
            finally:
                os.close(writing)
            for _ in lines:  # a line from whichever child, a kernel each; ends with the last child
                advance(1)
            for child in children:
                child.finish()
        finally:
            for child in children:
                child.stop()
    for work in todo:
        _check_kept(work)


class _Child:
    """A process that compiles for one target."""

    def __init__(self, work: Work, output: int) -> None:
        self.work = work
        environment = dict(os.environ)
        if work.is_level:
            _, cpu, features = work.choice.target
            environment |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
        code = _CHILD.format(path=sys.path)
        order = json.dumps({"tile": work.choice.isa.name, "kernels": work.missing})
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (`stop` closes it)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, order],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=self._errors,
        )

    def finish(self) -> None:
        """Wait for the end, which must be a good one."""
        if self._process.wait() == 0:
            return
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        raise KernelError(
            f"the kernels for {self.work.choice.isa.name} could not be compiled.",
            received=said[-1] if said else f"exit code {self._process.returncode}",
        )

    def stop(self) -> None:
        """End the process if it still runs."""
        self._process.terminate()
        self._process.wait()
        self._errors.close()


def compile_here() -> None:
    """What a child does: compile the kernels of its order, and print the name of each."""
    order = json.loads(sys.argv[1])
    isa.settle(Choice(ISAS[order["tile"]], isa.target()))
    known = _variants(PRECISIONS.values())
    for name in order["kernels"]:
        known[name].prepare()
        print(name, flush=True)


def _check_place(work: Work) -> None:
    if not SOURCES.digest:
        raise ConfigError(
            "compiled kernels cannot be kept: npbert's own sources cannot be read, and so nothing"
            " would tell the kernels of one version from those of another.",
            fix="install npbert as files rather than in a zip",
        )
    try:
        found = entries.directory(work.choice.isa.name, work.choice.target)
        entries.make(found)
        tempfile.TemporaryFile(dir=found).close()
    except OSError as error:
        raise ConfigError(
            "compiled kernels cannot be kept there.",
            where=os.environ.get("NPBERT_CACHE_DIR"),
            received=f"{error.strerror or error}: {error.filename}" if error.filename else error,
            expected="a directory of yours, to which nobody else can write",
            fix="name another one: npbert warmup --dir DIR",
        ) from error


def _check_kept(work: Work) -> None:
    known = _variants(PRECISIONS.values())
    lost = [
        name
        for name in work.missing
        if not cache.has(known[name].dispatcher, known[name].signature, work.choice)
    ]
    if lost:
        raise ConfigError(
            f"{len(lost)} of {len(work.missing)} kernels were compiled and could not be kept.",
            where=user_cache(),
            fix="see whether the disk is full, then run this again",
        )
