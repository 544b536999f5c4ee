"""Damaged model files by the hundred: ``python tests/fuzz.py [COUNT] [SEED]``, or ``make fuzz``.

Every file is read by a process that may take 2 seconds, and 300 MB over what it had before the
first one. It must end in an `NpbertError`, or in all the tensors of the config with the values that
the file's bytes now say, as the libraries h5py and safetensors read them. A crash, a hang, another
error or other values are failures: the file is kept, and its path printed.
"""

from __future__ import annotations

import contextlib
import io
import json
import select
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

if __name__ == "__main__":  # run as a script, from anywhere
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from weights import model_files
from weights.model_files import CONFIG, random_arrays

from npbert import BertBackbone
from npbert.errors import NpbertError
from npbert.presets import load_preset
from npbert.weights import hugging_face, keras_h5, weight_shapes
from npbert.weights.names import tensors

SECONDS, BYTES = 2.0, 300 << 20
PATIENCE = 30.0
"""Seconds of waiting after which a process hangs; its own 2 are measured inside."""

Arrays = dict[str, np.ndarray]


# -- good files, and how they are read -------------------------------------------------------------


def make(folder: Path) -> dict[str, Path]:
    """A good file of every format."""
    arrays = random_arrays()
    files = {
        "safetensors": folder / "model.safetensors",
        "h5": folder / "model.weights.h5",
        "keras": folder / "model.keras",
    }
    model_files.write_safetensors(files["safetensors"], model_files.hugging_face(arrays))
    model_files.write_h5(files["h5"], arrays)
    BertBackbone.from_weights(CONFIG, arrays, num_threads=1).save(files["keras"])
    shards = folder / "shards"
    shards.mkdir()
    files["index"] = model_files.shard_h5(files["h5"], shards / "model.weights.json", 3)
    return files


LOAD: dict[str, Callable[[Path], Arrays | None]] = {
    "safetensors": lambda path: hugging_face.load(path, CONFIG),
    "h5": lambda path: keras_h5.load(path, CONFIG),
    "keras": lambda path: load_preset(path).weights,
    "index": lambda path: keras_h5.load(path, CONFIG),
}


def _by_safetensors(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    stored = {name.removeprefix("bert."): array for name, array in load_file(path).items()}
    return {
        t.name: t.from_hugging_face(stored[t.hugging_face])
        for t in tensors(CONFIG)
        if t.hugging_face in stored
    }


def _by_h5py(file: Any) -> Arrays:
    with h5py.File(file) as opened:
        return {t.name: opened[t.h5][...] for t in tensors(CONFIG)}


def _by_zipfile(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        return _by_h5py(io.BytesIO(archive.read("model.weights.h5")))


READ: dict[str, Callable[[Path], Arrays] | None] = {
    "safetensors": _by_safetensors,
    "h5": _by_h5py,
    "keras": _by_zipfile,
    "index": None,  # an index holds no values: they must be those of the good file
}


def outcome(kind: str, path: Path) -> str:
    """How reading ended: "error", "loaded", or what was wrong."""
    try:
        loaded = LOAD[kind](path)
    except NpbertError as error:
        return "error" if error.what and error.fix else f"an error without advice: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    assert loaded is not None
    read = READ[kind]
    expected = read(path) if read else random_arrays()
    shapes = weight_shapes(CONFIG, pooler="pooled_dense/kernel" in loaded)
    if {name: array.shape for name, array in loaded.items()} != shapes:
        return "other tensors than the config's"
    for name, array in loaded.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            return f"{name} is not finite float32"
        if not np.array_equal(array, expected[name].astype(np.float32)):
            return f"{name} has other values than the file"
    return "loaded"


# -- damage ----------------------------------------------------------------------------------------


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """One to three flips, cuts, copies, doublings or truncations; half of them near the start."""
    for _ in range(random.integers(1, 4)):
        reach = len(content) if random.random() < 0.5 else min(len(content), 4096)
        a, b = (int(at) for at in random.integers(0, max(1, reach), 2))
        size = int(random.integers(1, 65))
        piece = content[b : b + size]
        match random.integers(5):
            case 0:
                flipped = bytes([random.integers(1, 256) ^ byte for byte in content[a : a + 1]])
                content = content[:a] + flipped + content[a + 1 :]
            case 1:
                content = content[:a] + content[a + size :]
            case 2:
                content = content[:a] + piece + content[a + len(piece) :]
            case 3:
                content = content[:a] + piece + content[a:]
            case _:
                content = content[:a]
    return content


# -- the process that reads ------------------------------------------------------------------------


def _peak() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def serve() -> None:
    """Read a good file of every kind, then what comes: a line of JSON each, answered by one."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in make(Path(folder)).items():
            assert outcome(kind, path) == "loaded", kind
    before = _peak()
    print("ready", flush=True)
    for line in sys.stdin:
        kind, path = json.loads(line)
        start = time.process_time()
        ended = outcome(kind, Path(path))
        if time.process_time() - start > SECONDS:
            ended = f"it took over {SECONDS:.0f} s: {ended}"
        if _peak() - before > BYTES:
            ended = f"it took over {BYTES >> 20} MB: {ended}"
        print(json.dumps(ended), flush=True)


class Reader:
    """The process, started again after it died."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._line() == "ready\n"

    def ask(self, kind: str, path: Path) -> str | None:
        """How it ended; None where the process crashed or hangs, and is of no use any more."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, str(path)]) + "\n")
        line = self._line()
        return json.loads(line) if line else None

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            return ""
        return self._process.stdout.readline()

    def stop(self) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.communicate()


def run(count: int, seed: int, keep: Path) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Format -> how often reading ended how; and every failure, whose file is in ``keep``."""
    random = np.random.default_rng(seed)
    counts: dict[str, dict[str, int]] = {}
    failures: list[str] = []
    reader = Reader()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for kind, path in make(Path(folder)).items():
                content, ends = path.read_bytes(), {"error": 0, "loaded": 0}
                for number in range(count):
                    path.write_bytes(damaged(content, random))
                    ended = reader.ask(kind, path)
                    if ended in ends:
                        ends[ended] += 1
                        continue
                    kept = keep / f"{kind}-{seed}-{number}{path.suffix}"
                    kept.write_bytes(path.read_bytes())
                    failures.append(f"{kept}: {ended or 'the process crashed or hangs'}")
                    if ended is None:
                        reader.stop()
                        reader = Reader()
                path.write_bytes(content)
                counts[kind] = ends
    finally:
        reader.stop()
    return counts, failures


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    keep = Path(tempfile.mkdtemp(prefix="npbert-fuzz-"))
    counts, failures = run(count, seed, keep)
    for kind, ends in counts.items():
        print(f"{kind}: {ends['error']} errors, {ends['loaded']} loaded with the file's own values")
    print(f"seed {seed}, {count} of each: {len(failures)} failures")
    for failure in failures:
        print(f"  {failure}")
    if not failures:
        keep.rmdir()
    sys.exit(bool(failures))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--serve"] else main()
