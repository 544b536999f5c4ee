"""Damaged model files by the hundred: ``python tests/fuzz.py [COUNT] [SEED]``, or ``make fuzz``.

Every file is read by a process that may take 2 seconds, and 300 MB over what it had before the
first one. How it must end, `fuzz_formats` says. A crash, a hang, another error or other values are
failures: the file is kept, and its path printed.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

if __name__ == "__main__":  # run as a script, from anywhere
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from fuzz_formats import make, outcome

SECONDS, BYTES = 2.0, 300 << 20
PATIENCE = 30.0
"""Seconds of waiting after which a process hangs; its own 2 are measured inside."""
DISTRUSTED = 5
"""One file in so many is read once more, with ``trust=False``."""


# -- damage ----------------------------------------------------------------------------------------


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """One to three flips, cuts, copies, doublings or truncations; half of them near the start.

    Every other index stays JSON, and says something else.
    """
    if content.startswith(b"{") and random.random() < 0.5:
        return _changed(content, random)
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


def _changed(index: bytes, random: np.random.Generator) -> bytes:
    """An index that lacks a name, or has two exchanged, a file too many or an unknown one."""
    value = json.loads(index)
    places = value["weight_map"]
    a, b = (list(places)[at] for at in random.choice(len(places), 2, replace=False))
    match random.integers(4):
        case 0:
            del places[a]
        case 1:
            places[a], places[b] = places[b], places[a]
        case 2:
            places[a] = [each for name in (a, b) for each in np.ravel(places[name]).tolist()]
        case _:
            places[a + "/more"] = places[b]
    return json.dumps(value).encode()


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
            assert outcome(kind, path, distrust=True) == "loaded", kind
    before = _peak()
    print("ready", flush=True)
    for line in sys.stdin:
        kind, path, distrust = json.loads(line)
        start = time.process_time()
        ended = outcome(kind, Path(path), distrust)
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

    def ask(self, kind: str, path: Path, distrust: bool) -> str | None:
        """How it ended; None where the process crashed or hangs, and is of no use any more."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, str(path), distrust]) + "\n")
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
                    ended = reader.ask(kind, path, number % DISTRUSTED == 0)
                    if ended in ends:
                        ends[ended] += 1
                        continue
                    kept = keep / f"{kind}-{seed}-{number}{path.suffix}"
                    kept.write_bytes(path.read_bytes())
                    failures.append(f"{kept}: {ended or 'the process crashed or hangs'}")
                    reader.stop()  # its peak of memory would stay
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
