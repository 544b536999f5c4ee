"""Kernels that were compiled ahead of time, elsewhere: who can start on them, and that it is quick.

Whole processes run in a copy of npbert with two small kernels in place of all others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from isa_worker import hash_of

import npbert
from npbert.simd import isa

from . import shipped_worker

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        isa.of_target(isa.target()) not in ("avx2", "avx512"), reason="needs AVX2 to run"
    ),
]

ROOT = Path(__file__).parents[2]
NATIVE = isa.of_target(isa.target())
posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes are POSIX")


class Shipped:
    """A copy of npbert with few kernels, and a directory of kernels to go with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kept = directory / "kept"
        package = directory / "npbert"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(npbert.__file__).parent, package, ignore=ignored)
        for path in (package / "ops").glob("*.py"):
            path.unlink()
        for path in (package / "simd").glob("*.py"):
            source = path.read_text(encoding="utf-8")
            plain = source.replace("@kernel(", "@(lambda signature: lambda function: function)(")
            path.write_text(plain, encoding="utf-8")
        (package / "ops" / "__init__.py").touch()
        (package / "ops" / "shipped.py").write_text(shipped_worker.KERNELS)

    def _run(self, *command: str, **environment: str) -> str:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NPBERT", "NUMBA"))}
        inherited |= {"PYTHONPATH": str(self.directory), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.directory,
            env=inherited | environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def warmup(self, *arguments: str) -> str:
        return self._run("-m", "npbert.cli", "warmup", *arguments)

    def start(self, kept: Path, *arguments: str, **environment: str) -> dict[str, object]:
        worker = str(Path(shipped_worker.__file__))
        environment = {"NPBERT_CACHE_DIR": str(kept)} | environment
        return json.loads(self._run(worker, *arguments, **environment))

    def copied(self, to: Path) -> Path:
        shutil.copytree(self.kept, to)
        return to


@pytest.fixture(scope="module")
def shipped():
    """With kernels for two levels, made by the command."""
    directory = Path(tempfile.mkdtemp())  # pytest's own is closed to other users
    directory.chmod(0o755)
    made = Shipped(directory)
    made.warmup("--isa", "avx2,generic", "--dir", str(made.kept))
    yield made
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def compiled(shipped, tmp_path_factory):
    """What a process computes that finds nothing on disk."""
    done = shipped.start(tmp_path_factory.mktemp("empty"))
    assert done["own"]
    assert done["compiled"]
    return done["answers"]


def files(kept):
    return {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}


def test_a_cache_made_elsewhere_starts_without_compiling(shipped, compiled):
    before = files(shipped.kept)
    done = shipped.start(shipped.kept)
    assert done == {"isa": "avx2", "own": False, "compiled": 0, "answers": compiled}
    assert files(shipped.kept) == before


def test_a_lesser_level_can_be_forced(shipped, compiled):
    done = shipped.start(shipped.kept, NPBERT_ISA="generic")
    assert done == {"isa": "generic", "own": False, "compiled": 0, "answers": compiled}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can")
def test_root_made_it_and_another_user_reads_it(shipped, compiled):
    done = shipped.start(shipped.kept, "--as-nobody")
    assert (done["isa"], done["own"], done["compiled"]) == ("avx2", False, 0)
    assert done["answers"] == compiled


@posix
def test_a_read_only_directory(shipped, compiled, tmp_path):
    kept = shipped.copied(tmp_path / "kept")
    folders = [kept, *(path for path in kept.rglob("*") if path.is_dir())]
    for path in [*folders, *files(kept)]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = shipped.start(kept)
    assert (done["isa"], done["own"], done["compiled"]) == ("avx2", False, 0)
    assert done["answers"] == compiled
    for path in folders:
        path.chmod(0o755)


@pytest.mark.parametrize("spoil", ["missing", "damaged"])
def test_a_level_with_an_odd_kernel(shipped, compiled, tmp_path, spoil):
    kept = shipped.copied(tmp_path / "kept")
    for path in kept.rglob("outer_kernel*"):
        path.unlink() if spoil == "missing" else path.write_bytes(path.read_bytes()[:-1])
    for count in (1, 0):
        done = shipped.start(kept)
        assert (done["isa"], done["own"]) == ("avx2", False)
        assert bool(done["compiled"]) == count
        assert done["answers"] == compiled


def test_the_machines_own_comes_first_and_a_second_run_has_nothing_to_do(
    shipped, compiled, tmp_path
):
    kept = shipped.copied(tmp_path / "kept")
    first, second = (shipped.warmup("--dir", str(kept)) for _ in range(2))
    assert f"{NATIVE} (this machine's): 2 kernels, 2 compiled now" in first
    assert f"{NATIVE} (this machine's): 2 kernels, all there" in second
    done = shipped.start(kept)
    assert done["isa"] == NATIVE
    assert (done["own"], done["compiled"], done["answers"]) == (True, 0, compiled)


WORKER = """
import json
from numba.core import compiler
compiled, compile_extra = [], compiler.compile_extra
compiler.compile_extra = lambda *a, **k: (compiled.append(1), compile_extra(*a, **k))[1]
from isa_worker import hash_of
from npbert.simd import isa
print(json.dumps([hash_of(2, 32), len(compiled), isa.choice().target[1]]))
"""


@pytest.mark.slow
def test_the_whole_product_on_kernels_for_avx2(tmp_path):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    kept = {"NPBERT_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": paths}
    env = {k: v for k, v in os.environ.items() if k != "NPBERT_ISA"} | kept
    warm = [*("-m", "npbert.cli", "warmup"), *("--isa", "avx2", "--dir", str(tmp_path / "kept"))]
    subprocess.run([sys.executable, *warm], env=env, check=True, timeout=600)
    done = subprocess.run(
        [sys.executable, "-c", WORKER], env=env, check=True, capture_output=True, timeout=600
    )
    assert json.loads(done.stdout) == [hash_of(2, 32), 0, "x86-64-v3"]
