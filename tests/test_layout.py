"""The shape of the code: who may import whom, what an import costs, what lies where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "npbert"
SOURCES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))
BASE = {
    *("caller", "config", "dtype_policy", "errors", "shapes", "stages", "progress"),
    "user_cache",
}
LOWER = BASE | {
    "summary",
    "text",
    "weights",
    "presets",
    "simd",
    "ops",
    "engine",
    "reference",
    "backbone",
}

MAY_USE = {  # part -> the parts it may import, besides itself
    "shapes": set(),
    "errors": set(),
    "caller": set(),
    "config": {"errors", "dtype_policy"},
    "dtype_policy": {"errors"},
    "progress": {"errors"},
    "stages": {"config", "errors"},
    "user_cache": {"errors"},
    "summary": BASE,
    "simd": BASE,
    "ops": BASE | {"simd"},
    "text": BASE | {"weights", "presets"},  # rules for files and JSON; where a preset's files are
    "weights": BASE,
    "presets": BASE | {"weights"},
    "reference": BASE | {"ops"},
    "engine": BASE | {"ops", "simd"},
    "backbone": LOWER,
    "tasks": LOWER,
    "integrations": {"tasks"},
    "parity": LOWER | {"tasks"},
    "teaching": LOWER | {"tasks", "parity"},
    "viz": BASE | {"ops"},
    "models": LOWER | {"tasks"},
    "bench": LOWER | {"tasks", "__init__"},
    "cli": LOWER | {"tasks", "parity", "models", "bench", "__init__"},
    "__init__": LOWER | {"tasks", "parity", "models", "teaching", "viz"},
}
FIRST_USE = {"numba", "llvmlite", "scipy", "h5py", "tokenizers", "typer", "rich", "safetensors"}
"""What an import of npbert must not bring: each is imported where it is first used."""


def part_of(path):
    return path.parts[0].removesuffix(".py")


def imported(path):
    """The dotted names that a source imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names += re.findall(r"npbert[.\w]*", ast.unparse(node.args[0]))
    return names


def parts_used(path):
    used = set()
    for name in imported(path):
        pieces = name.split(".")
        if pieces[0] == "npbert":
            second = pieces[1] if len(pieces) > 1 else "__init__"
            used.add(second if second in MAY_USE else "__init__")
    return used


def test_every_part_is_in_the_table():
    assert {part_of(path) for path in SOURCES} == set(MAY_USE)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_point_downwards(path):
    part = part_of(path)
    assert parts_used(path) <= MAY_USE[part] | {part}


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_numba_stays_in_simd(path):
    used = {name.split(".")[0] for name in imported(path)} & {"numba", "llvmlite"}
    assert not used or part_of(path) == "simd"


def test_one_file_decides_how_numba_compiles():
    decorators = re.compile(
        r"\b(?:numba\.)?(?:njit|jit|vectorize|guvectorize|stencil|cfunc)\b\s*\("
    )
    found = [p for p in SOURCES if decorators.search((PACKAGE / p).read_text(encoding="utf-8"))]
    found = [p for p in found if "np.vectorize" not in (PACKAGE / p).read_text(encoding="utf-8")]
    assert found == [Path("simd/kernel.py")]


@pytest.mark.parametrize("words", ["fastmath", "parallel=True", "cache=True", "prange"])
def test_what_would_cost_equal_bits_is_not_switched_on(words):
    for path in SOURCES:
        tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        keywords = {
            f"{k.arg}={ast.unparse(k.value)}" for k in ast.walk(tree) if isinstance(k, ast.keyword)
        }
        assert not any(words in keyword for keyword in keywords), path


# -- what an import costs --------------------------------------------------------------------------


def python(script):
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(script):
    loaded = python(f"import sys\n{script}\nprint(*{{n.split('.')[0] for n in sys.modules}})")
    return set(loaded.split())


def test_importing_npbert_brings_nothing_heavy():
    assert not modules_after("import npbert") & FIRST_USE
    assert not modules_after("from npbert import BertBackbone, Embedder") & FIRST_USE
    assert not modules_after("import npbert.reference, npbert.ops.registry") & FIRST_USE


def test_importing_npbert_costs_little_more_than_numpy():
    """Both are timed in turn, in processes of their own; the best of each counts."""
    clock = (
        "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    )
    times = [[float(python(clock.format(m))) for m in ("numpy", "npbert")] for _ in range(5)]
    numpy, npbert = map(min, zip(*times))
    assert npbert <= numpy + 0.1


@pytest.mark.kernel
def test_a_safetensors_model_needs_neither_h5py_nor_scipy():
    """Numba asks for scipy's version by itself; it must not matter whether it is there."""
    python(
        "import sys; sys.modules.update(h5py=None, scipy=None)\n"
        "from npbert import BertBackbone\n"
        "model = BertBackbone.from_preset('golden/presets/hf_tiny', num_threads=1)\n"
        "model.encode_ragged([[1, 2, 3]])"
    )


# -- what lies where -------------------------------------------------------------------------------


def texts():
    """Every text file of the project, by its path."""
    folders = ("npbert", "tests", "golden", ".ci", "notebooks")
    found = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file()]
    found += [p for p in ROOT.iterdir() if p.is_file()]
    kinds = {".py", ".md", ".toml", ".json", ".yml", ".yaml", ".cfg", ".txt", ".ipynb", ""}
    found = [p for p in found if p.suffix in kinds and "__pycache__" not in p.parts]
    return sorted(p.relative_to(ROOT) for p in found)


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name != "__init__.py"], ids=str)
def test_every_source_has_its_tests(path):
    """``npbert/a/b.py`` is tested by ``tests/a/test_b.py``, if it has anything that runs."""
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    runs = any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))
    tests = path.with_name(f"test_{path.name}")
    if part_of(path) == "integrations":
        tests = Path("live/test_integrations.py")  # in the libraries that they are for
    assert not runs or (ROOT / "tests" / tests).is_file()


LONG = {  # file -> why it is longer than 300 lines
    "npbert/backbone.py": "Keras Hub's class in one piece: arguments, calls, weights, config",
    "tests/simd/test_cache.py": "every way in which a cache entry can be wrong, over one fixture",
}


@pytest.mark.parametrize("path", [p for p in texts() if p.suffix == ".py"], ids=str)
def test_no_file_is_long(path):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    if path.parts[0] == "notebooks":  # of a lesson, its code
        lines = [line for line in lines if not line.startswith("#")]
    assert len(lines) <= (700 if path.as_posix() in LONG else 300)


def test_the_exceptions_are_still_needed():
    for path in LONG:
        assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) > 300, path


_PATHS = r"(?<![\w.:~/-])/(?:work|root|mnt|scratch)/\w"
_WORDS = r"\b(?:this session|issue \d|TODO|FIXME|XXX|placeholder)\b"


@pytest.mark.parametrize("path", [p for p in texts() if p.name != Path(__file__).name], ids=str)
def test_the_project_speaks_of_itself_alone(path):
    """No paths of somebody's machine, and nothing left to be done in a comment."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.findall(_PATHS, text) == []
    assert re.findall(_WORDS, text) == []


def test_the_wheel_is_python_and_one_small_model():
    files = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    toy = [p for p in files if PACKAGE / "teaching" / "toy" in p.parents]
    assert {p.suffix for p in files if p not in toy} <= {".py", ".typed", ".md"}
    assert {p.suffix for p in toy} == {".json", ".h5", ".txt"}
    assert sum(p.stat().st_size for p in toy) < 200_000
