"""The kernel cache between processes, which run in a copy of npbert with two kernels more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import npbert

pytestmark = pytest.mark.kernel

COPIED = """
from npbert import simd
from npbert.ops.copied_parts import shifted
from npbert.simd.kernel import kernel

@kernel("void(float32[:, ::1], float32[:, ::1])")
def inner_kernel(x, out):
    for row in range(out.shape[0]):
        simd.store(shifted(simd.tanh(simd.load(x, row, 0))), out, row, 0)

@kernel("void(float32[:, ::1], float32[:, ::1])")
def outer_kernel(x, out):
    inner_kernel(x, out)
"""
PARTS = """
from npbert import simd
from npbert.simd.kernel import inline

@inline
def shifted(x):
    return x + simd.fill(7.0)
"""
PROCESS = """
import json, sys
import numpy as np
from npbert.ops.copied import inner_kernel, outer_kernel
x = np.linspace(-1, 1, 48, dtype=np.float32).reshape(3, 16)
answers, hits = [], []
for kernel in (outer_kernel, inner_kernel):
    out = np.empty_like(x)
    kernel(x, out)
    np.testing.assert_allclose(out, np.tanh(x) + SHIFT, rtol=1e-4)
    answers.append(out.tobytes().hex())
    hits.append(sum(kernel.dispatcher.stats.cache_hits.values()))
lazy = [name for name in sys.modules if name.startswith("npbert.simd.vector")]
import numba
made = numba.njit(lambda n: np.arange(n).copy())(3)  # allocates, after kernels that were loaded
assert made.tolist() == [0, 1, 2]
print(json.dumps({"hits": hits, "answers": answers, "lazy": lazy}))
"""


class Copy:
    """A copy of npbert with two kernels more, to be run in processes of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.package = directory / "npbert"
        self.kept = directory / "kept"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(npbert.__file__).parent, self.package, ignore=ignored)
        (self.package / "ops" / "copied.py").write_text(COPIED)
        (self.package / "ops" / "copied_parts.py").write_text(PARTS)

    def start(self, *, shift: float = 7, before: str = "", **environment: str) -> Any:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NPBERT", "NUMBA"))}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", before + PROCESS.replace("SHIFT", str(shift))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=inherited | {"NPBERT_CACHE_DIR": str(self.kept)} | environment,
        )

    def run(self, **options: Any) -> dict[str, Any]:
        return _finish(self.start(**options))

    def entries(self) -> list[Path]:
        return [path for path in self.kept.rglob("*") if path.is_file()]


def _finish(process: Any) -> dict[str, Any]:
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert errors == ""
    return json.loads(out)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


def test_four_processes_start_cold_and_a_fifth_is_warm(copy: Copy) -> None:
    runs = [_finish(process) for process in [copy.start() for _ in range(4)]]
    assert len(copy.entries()) == 2  # nothing unfinished is left
    warm = copy.run()
    assert warm["hits"] == [1, 1]
    assert warm["lazy"] == []  # the vector modules are for compiling
    assert all(run["answers"] == warm["answers"] for run in runs)


def test_an_edit_of_another_file_is_seen(copy: Copy) -> None:
    part = copy.package / "ops" / "copied_parts.py"
    copy.run()
    part.write_text(PARTS.replace("7.0", "11.0"))
    edited = copy.run(shift=11)
    assert edited["hits"] == [0, 0]
    part.write_text(PARTS)
    assert copy.run()["hits"] == [1, 1]


def test_a_file_size_limit(copy: Copy, tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="POSIX")
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (5000, r.RLIM_INFINITY))"
    home = {"NPBERT_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path)}
    run = copy.run(before=limit + "\n", PYTHONDONTWRITEBYTECODE="1", **home)
    assert run["hits"] == [0, 0]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nothing_is_read_at_import(copy: Copy) -> None:
    code = "import npbert.ops.copied, sys; assert 'numba' not in sys.modules"
    environment = {**os.environ, "NPBERT_CACHE_DIR": "/dev/null"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=copy.directory, env=environment, check=True
    )
