from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import npbert
from npbert.errors import KernelError
from npbert.ops.pooler import tanh_kernel
from npbert.ops.softmax import softmax_row
from npbert.simd.kernel import OPTIONS, kernel

SOURCES = sorted(Path(npbert.__file__).parent.rglob("*.py"))
ROOT = Path(npbert.__file__).parents[1]


def test_options():
    assert OPTIONS == {"nogil": True, "error_model": "numpy"}


def names(tree):
    """Every name imported, looked up, or given as a keyword; ``np.vectorize`` is NumPy's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id == "np"):
                yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.keyword):
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


COMPILERS = {"jit", "njit", "generated_jit", "vectorize", "guvectorize", "stencil", "cfunc"}
COMPILE = {"npbert/simd/kernel.py": {"njit"}, "npbert/bench/engines/of_keras.py": {"jit"}}  # JAX's
FORBIDDEN = {"fastmath", "parallel", "prange"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_decorator_compiles_and_nothing_relaxes_the_rules(path):
    used = set(names(ast.parse(path.read_text(encoding="utf-8"))))
    assert not used & FORBIDDEN
    assert used & COMPILERS == COMPILE.get(path.relative_to(ROOT).as_posix(), set())


def test_the_test_above_would_see_it():
    for source in (
        "from numba import njit",
        "numba.jit(f)",
        "import numba as np_; np_.vectorize",
        "@vectorize\ndef f(): ...",
    ):
        assert set(names(ast.parse(source))) & COMPILERS
    for source in ("f(fastmath=True)", "options = {'parallel': True}", "for i in prange(3): ..."):
        assert set(names(ast.parse(source))) & FORBIDDEN
    assert not set(names(ast.parse("np.vectorize(f)"))) & COMPILERS


def _double(x, out):
    """(R, D) -> (R, D)"""
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = x[row, column] * np.float32(2)


SIGNATURE = "void(float32[:, ::1], float32[:, ::1])"


def test_what_a_kernel_says_of_itself():
    double = kernel(SIGNATURE)(_double)
    assert double.__wrapped__ is _double
    assert double.__doc__ == "(R, D) -> (R, D)"
    assert repr(double) == f"<kernel {__name__}._double>"
    assert double.name == "_double"
    assert not double.ready


@pytest.mark.kernel
def test_it_compiles_at_the_first_call_with_the_options_and_nothing_else():
    double = kernel(SIGNATURE)(_double)
    assert double.dispatcher.signatures == []
    x, out = np.float32([[1, 2, 3]]), np.empty((1, 3), np.float32)
    double(x, out)
    assert out.tolist() == [[2, 4, 6]]
    assert double.ready
    assert {key: double.dispatcher.targetoptions[key] for key in OPTIONS} == OPTIONS
    assert not {"fastmath", "parallel", "cache"} & double.dispatcher.targetoptions.keys()


@pytest.mark.kernel
def test_one_signature_and_a_type_error_for_every_other():
    x = np.ones((2, 16), np.float32)
    tanh_kernel(x, x)
    read_only = np.ones((2, 16), np.float32)
    read_only.flags.writeable = False
    for wrong in (
        x.astype(np.float64),
        x.astype(np.float16),
        x.astype(np.int32),
        np.asfortranarray(x),
        x[:, ::2],
        x[0],
        x[None],
        read_only,
        [[1.0]],
        None,
    ):
        with pytest.raises(TypeError):
            tanh_kernel(wrong, x)
        with pytest.raises(TypeError):
            tanh_kernel(x, wrong)
    for arguments in ((), (x,), (x, x, x)):
        with pytest.raises(TypeError):
            tanh_kernel(*arguments)
    assert len(tanh_kernel.dispatcher.signatures) == 1


@pytest.mark.kernel
def test_threads_that_come_at_once_compile_it_once():
    compiled = []
    double = kernel(SIGNATURE)(_double)
    dispatcher = double.dispatcher
    compile_ = dispatcher.compile
    dispatcher.compile = lambda signature: (compiled.append(signature), compile_(signature))
    together, outs = threading.Barrier(8), [np.empty((1, 1), np.float32) for _ in range(8)]

    def call(out):
        together.wait()
        double(np.float32([[21]]), out)

    threads = [threading.Thread(target=call, args=(out,)) for out in outs]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [float(out[0, 0]) for out in outs] == [42.0] * 8
    assert compiled == [SIGNATURE]


@pytest.mark.kernel
def test_a_kernel_calls_a_kernel():
    double = kernel(SIGNATURE)(_double)

    @kernel(SIGNATURE)
    def quadruple(x, out):
        double(x, out)
        double(out, out)

    out = np.empty((1, 1), np.float32)
    quadruple(np.float32([[3]]), out)
    assert out[0, 0] == 12


@kernel("void(int64[::1], int64[::1])")
def wait_for(flag, steps):
    """Until another thread sets the flag, or for some seconds."""
    while flag[0] == 0 and steps[0] < 2_000_000_000:
        steps[0] += 1


@pytest.mark.kernel
def test_other_threads_run_meanwhile():
    """``nogil``: a kernel can wait for another thread's Python."""
    flag, steps = np.zeros(1, np.int64), np.zeros(1, np.int64)
    wait_for.prepare()
    thread = threading.Timer(0.05, flag.fill, (1,))
    thread.start()
    wait_for(flag, steps)
    assert 0 < steps[0] < 2_000_000_000
    thread.join()


def run(script, **environment):
    """The script's stdout, in a fresh process."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


CALL = """
import numpy as np
from npbert.errors import KernelError
from npbert.ops.pooler import tanh_kernel
x = np.ones((1, 16), np.float32)
try:
    tanh_kernel(x, x)
except KernelError as error:
    print(error)
"""


def test_the_jit_is_switched_off():
    assert run(CALL, NUMBA_DISABLE_JIT="1") == (
        "Numba's JIT is switched off, and kernels exist only as compiled code.\n"
        "  where:    environment variable NUMBA_DISABLE_JIT\n"
        "  received: 1\n"
        "  fix:      unset it, or use npbert.reference, which is plain NumPy\n"
    )


@pytest.mark.parametrize("how", ["ImportError", "OSError"])
def test_numba_is_missing_or_broken(how):
    block = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "numba":
            raise {how}("cannot load libllvmlite.so")

sys.meta_path.insert(0, Blocked())
"""
    assert run(block + CALL) == (
        "Numba cannot be imported, and every kernel of npbert needs it.\n"
        f"  received: {how}: cannot load libllvmlite.so\n"
        "  fix:      pip install --force-reinstall numba;"
        " npbert.reference runs without it, slowly\n"
    )


FORK = """
import os, signal, threading, warnings
import numpy as np
from npbert.ops.pooler import tanh_kernel
from npbert.simd import kernel

held, done = threading.Event(), threading.Event()

def hold():
    with kernel._compiling:
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
warnings.simplefilter("ignore")  # Python 3.12 warns of threads that a fork leaves behind
child = os.fork()
if not child:
    signal.alarm(60)
    x = np.zeros((1, 16), np.float32)
    tanh_kernel(x, x)
    os._exit(0)
print(os.waitpid(child, 0)[1])
done.set()
thread.join()
"""


@pytest.mark.kernel
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_can_compile_while_a_thread_of_its_parent_does():
    assert run(FORK) == "0\n"


def test_a_piece_of_kernels_cannot_be_called():
    with pytest.raises(KernelError, match="softmax_row is a piece of kernels"):
        softmax_row(np.zeros((1, 16), np.float32), 0, 16)
