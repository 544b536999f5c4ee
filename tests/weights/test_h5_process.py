"""The process that reads HDF5: one, used again, by one caller at a time, gone with its user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from npbert.errors import ModelFileError
from npbert.weights import h5_process
from npbert.weights.h5_process import Useless, child, command, stop

from .fake_child import answering, replaced

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def echo(one: h5_process.Child, message: bytes = b"hello\n") -> bytes:
    """What comes back to a message of which the script sends all."""
    buffer = bytearray(len(message))
    one.send(message)
    one.fill(memoryview(buffer))
    return bytes(buffer)


def pid() -> int:
    with child() as one:
        return one.process.pid


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # one that has ended may still wait to be asked how
    return not (stat.exists() and ") Z " in stat.read_text())


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends in that time."""
    until = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not runs(pid)


@pytest.fixture
def echoing(monkeypatch: pytest.MonkeyPatch):
    with answering(monkeypatch, "send(line)"):
        yield


@pytest.mark.usefixtures("echoing")
def test_it_is_used_again():
    with child() as one:
        assert one.use(10, lambda: echo(one)) == b"hello\n"
    with child() as again:
        assert again is one
        assert again.use(10, lambda: echo(again, b"x" * 300_000 + b"\n")) == b"x" * 300_000 + b"\n"


@pytest.mark.usefixtures("echoing")
@pytest.mark.skipif(sys.platform != "linux", reason="no other system limits its memory")
def test_its_limit_is_not_taken_by_a_second_heap():
    variables = Path(f"/proc/{pid()}/environ").read_bytes().split(b"\0")
    assert b"MALLOC_ARENA_MAX=1" in variables


@pytest.mark.usefixtures("echoing")
def test_another_is_started_when_it_has_ended():
    first = pid()
    assert pid() == first
    with child() as one:
        one.process.kill()
        one.process.wait()
    second = pid()
    assert second != first
    stop()
    stop()
    assert pid() not in (first, second)


@pytest.mark.usefixtures("echoing")
def test_it_is_there_for_one_caller_at_a_time():
    inside = threading.Semaphore(1)

    def ask(number: int) -> tuple[bytes, int]:
        with child() as one:
            assert inside.acquire(blocking=False)
            answer = one.use(10, lambda: echo(one, b"%05d\n" % number))
            inside.release()
            return answer, one.process.pid

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(100)))
    assert [answer for answer, _ in answers] == [b"%05d\n" % number for number in range(100)]
    assert len({pid for _, pid in answers}) == 1


@pytest.mark.parametrize(
    ("does", "what"),
    [
        ("time.sleep(60)", "no answer within 0 s"),
        ("send(line[:3]); time.sleep(60)", "no answer within 0 s"),
        ("sys.exit(3)", "it ended with exit code 3"),
        ("send(line[:3]); sys.exit(0)", "it ended with exit code 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "it was ended by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "it was ended by SIGSEGV"),
    ],
)
@posix
def test_what_is_no_answer(monkeypatch: pytest.MonkeyPatch, does: str, what: str):
    with answering(monkeypatch, does), child() as one:
        seconds = 0.3 if "sleep" in does else 10
        with pytest.raises(Useless) as error:
            one.use(seconds, lambda: echo(one))
        assert str(error.value) == what
        assert one.process.returncode is not None


def test_a_signal_without_a_name():
    assert h5_process._end(-35) == "it was ended by signal 35"


@posix
def test_a_pipe_that_someone_else_keeps_open(monkeypatch: pytest.MonkeyPatch):
    does = "pid = os.fork(); time.sleep(60) if pid == 0 else send(b'%6d' % pid); time.sleep(60)"
    with answering(monkeypatch, does), child() as one:
        other = int(one.use(10, lambda: echo(one, b"asks.\n")))
        start = time.monotonic()
        with pytest.raises(Useless, match="no answer within 0 s"):
            one.use(0.3, lambda: one.fill(memoryview(bytearray(1))))
        assert time.monotonic() - start < 5
        os.kill(other, signal.SIGKILL)
        one._thread.join(10)
        one.stop()


@pytest.mark.usefixtures("echoing")
def test_an_error_in_between_ends_it():
    with child() as one, pytest.raises(ZeroDivisionError):
        one.use(10, lambda: 1 / 0)
    assert pid() != one.process.pid


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["/nowhere/python"], "No such file or directory"),
        ([sys.executable, "-c", "raise SystemExit(5)"], "it ended with exit code 5"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "no answer within 1 s"),
    ],
)
def test_it_cannot_be_started(monkeypatch: pytest.MonkeyPatch, arguments: list[str], what: str):
    monkeypatch.setattr(h5_process, "START_SECONDS", 0.6)
    with replaced(monkeypatch, lambda: arguments):
        message = f"not trusted cannot be started(.|\n)*received: .*{what}(.|\n)*can import h5py"
        with pytest.raises(ModelFileError, match=message), child():
            pass


def test_it_has_the_same_packages_and_nothing_of_this_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    entries = ["", "other", str(tmp_path)]
    monkeypatch.setattr(sys, "path", entries)
    python, isolated, _, _, paths = command()
    assert (python, isolated) == (sys.executable, "-I")
    assert paths == f'["{ROOT}", "{ROOT}", "{tmp_path}"]'
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert command()[-1] == f'["{tmp_path}", "{ROOT}"]'


# -- forks, and the end ----------------------------------------------------------------------------


def run(script: str) -> tuple[list[str], int]:
    """What it prints, and its exit code; a leak would be a warning."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", f"{_BEFORE}\n{script}"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split(), done.returncode


_BEFORE = """
import os, signal, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
from npbert.weights.h5_process import child
def pid():
    with child() as one:
        return one.process.pid
"""


@posix
def test_a_fork_has_its_own():
    printed, code = run(
        "first = pid()\n"
        "for _ in range(3):\n"
        "    if (fork := os.fork()) == 0:\n"
        "        other = pid()\n"
        "        os.kill(other, 9)\n"
        "        os._exit(other == first)\n"
        "    assert os.waitpid(fork, 0)[1] == 0\n"
        "print(pid() == first)\n"
    )
    assert (printed, code) == (["True"], 0)


@posix
def test_a_fork_while_another_thread_reads():
    printed, _ = run(
        "def hold():\n"
        "    with child():\n"
        "        time.sleep(1)\n"
        "first = pid()\n"
        "threading.Thread(target=hold).start()\n"
        "time.sleep(0.2)\n"
        "if (fork := os.fork()) == 0:\n"
        "    os._exit(pid() == first)\n"
        "print(os.waitpid(fork, 0)[1], pid() == first)\n"
    )
    assert printed == ["0", "True"]


@posix
@pytest.mark.parametrize("end", ["", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_it_ends_with_its_user(end: str):
    printed, _ = run(f"print(pid(), flush=True)\n{end}")
    assert gone(int(printed[0]))


@posix
def test_it_ends_with_its_user_although_a_fork_of_that_lives_on():
    printed, _ = run(
        "first = pid()\n"
        "if (fork := os.fork()) == 0:\n"
        "    os.closerange(1, 3)\n"
        "    time.sleep(60)\n"
        "print(first, fork, flush=True)\n"
        "os._exit(0)\n"
    )
    first, fork = map(int, printed)
    assert gone(first)
    assert not gone(fork, 0.2)
    os.kill(fork, signal.SIGKILL)


@posix
def test_ctrl_c_ends_it():
    printed, _ = run(
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "first = pid()\n"
        "threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()\n"
        "with child() as one:\n"
        "    try:\n"
        "        one.use(60, lambda: one.fill(memoryview(bytearray(1))))\n"
        "    except KeyboardInterrupt:\n"
        "        print(one.process.returncode)\n"
        "print(pid() != first)\n"
    )
    assert printed == [str(-signal.SIGKILL), "True"]
