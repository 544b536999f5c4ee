"""npbert's own threads: how many, what they run, and what happens when something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from npbert.engine import threads
from npbert.errors import ConfigError


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("NPBERT_NUM_THREADS", raising=False)


def run(tasks, count):
    threads.run(tasks, count)


# -- how many --------------------------------------------------------------------------------------


def test_the_argument_decides(monkeypatch):
    monkeypatch.setenv("NPBERT_NUM_THREADS", "7")
    assert threads.thread_count(3) == (3, "the num_threads argument")


def test_then_the_variable(monkeypatch):
    monkeypatch.setenv("NPBERT_NUM_THREADS", "7")
    assert threads.thread_count() == (7, "NPBERT_NUM_THREADS")


def test_then_the_container(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(threads, "_container_quota", lambda: 3)
    assert threads.thread_count() == (3, "the container's quota (64 CPUs are visible)")


@pytest.mark.parametrize("quota", [None, 5, 9])
def test_then_the_cpus(monkeypatch, quota):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 3, 7, 9}, raising=False)
    monkeypatch.setattr(threads, "_container_quota", lambda: quota)
    assert threads.thread_count() == (5, "the CPUs this process may use")


@pytest.mark.parametrize("count", [0, -1, 1025, 2.0, "2", True, float("nan")])
def test_a_count_that_is_none(count):
    with pytest.raises(ConfigError, match="the number of threads must be a whole number") as error:
        threads.thread_count(count)
    assert error.value.where == "num_threads"
    assert (error.value.received, error.value.expected) == (repr(count), "1 to 1024")
    assert error.value.fix == "leave it unset to use every CPU this process may"


@pytest.mark.parametrize("text", ["", "0", "two", "-1", "1.5", " 2", "٣", "99999"])
def test_a_variable_that_holds_garbage(monkeypatch, text):
    monkeypatch.setenv("NPBERT_NUM_THREADS", text)
    with pytest.raises(ConfigError, match="the number of threads must be a whole number") as error:
        threads.thread_count()
    assert error.value.where == "environment variable NPBERT_NUM_THREADS"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "garbage"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_containers_quota(tmp_path, files, quota):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads._container_quota(tmp_path) == quota


# -- running ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 16])
@pytest.mark.parametrize("tasks", [0, 1, 2, 40])
def test_every_task_runs_once(count, tasks):
    ran = []
    run([lambda i=i: ran.append(i) for i in range(tasks)], count)
    assert sorted(ran) == list(range(tasks))


def test_one_thread_is_the_callers_and_keeps_the_order():
    ran = []
    run([lambda i=i: ran.append((i, threading.get_ident())) for i in range(9)], 1)
    assert ran == [(i, threading.get_ident()) for i in range(9)]


def test_tasks_run_side_by_side_on_as_many_threads_as_asked_for():
    meet = threading.Barrier(3, timeout=10)
    names = set()

    def task():
        names.add(threading.current_thread().name)
        meet.wait()

    run([task] * 3, 3)
    assert len(names) == 3
    daemons = [t for t in threading.enumerate() if t.name.startswith("npbert-")]
    assert daemons
    assert all(t.daemon for t in daemons)


def test_the_first_error_reaches_the_caller_and_drops_the_rest():
    ran = []

    def fail():
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        run([fail, *[lambda: ran.append(1)] * 5], 1)
    assert ran == []
    run([lambda: ran.append(2)] * 3, 2)  # and the next call works
    assert ran == [2, 2, 2]


def test_an_error_on_another_thread_stops_long_tasks():
    started, stopped = threading.Event(), threading.Event()

    def fail():
        assert started.wait(10)
        raise KeyError("elsewhere")

    def long():
        started.set()
        assert stopped.wait(10)

    with pytest.raises(KeyError, match="elsewhere"):
        threads.run([long, fail], 2, stopped.set)


def test_nothing_is_abandoned_where_nothing_goes_wrong():
    threads.run([lambda: None] * 5, 3, lambda: pytest.fail("abandoned"))


def test_a_task_may_run_tasks():
    ran = []

    def outer():
        run([lambda: ran.append(1)] * 3, 4)

    run([outer] * 5, 3)
    assert len(ran) == 15


def count(tasks):
    """How many of so many tasks ran."""
    done = []
    run([lambda: done.append(1)] * tasks, 4)
    return len(done)


def test_many_callers_at_once():
    totals = [0] * 12

    def call(i):
        for _ in range(25):
            totals[i] += count(7)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(totals))]
    for each in callers:
        each.start()
    for each in callers:
        each.join(60)
    assert totals == [25 * 7] * len(totals)


def python(script, **settings):
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, **settings)


_FORK = """
import os, warnings
warnings.simplefilter("ignore")
from npbert.engine import threads
def run():
    done = []
    threads.run([lambda: done.append(1)] * 20, 4)
    return len(done)
assert run() == 20
child = os.fork()
if child == 0:
    os._exit(0 if run() == 20 else 1)
assert os.waitpid(child, 0)[1] == 0
assert run() == 20
print("both")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_threads_of_its_own():
    with python(_FORK) as process:
        assert process.communicate(timeout=60)[0] == b"both\n"


_INTERRUPT = """
import threading, time
from npbert.engine import threads
stopped = threading.Event()
def task():
    assert stopped.wait(20)
try:
    print("ready", flush=True)
    threads.run([task, task, lambda: print("never")], 2, stopped.set)
except KeyboardInterrupt:
    done = []
    threads.run([lambda: done.append(1)] * 3, 2)
    print("interrupted", len(done), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process alone")
def test_ctrl_c_stops_all_threads_and_the_next_call_works():
    with python(_INTERRUPT) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == b"interrupted 3\n"
        assert process.returncode == 0
