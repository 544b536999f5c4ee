"""Tasks that wait for each other, each on a thread of its own: `threads.run_together`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from engine.sharing import Meeting, call_at_once, idle

from npbert.engine import threads


def together(count):
    """Let that many tasks meet."""
    idle()
    meeting = Meeting(count)
    done = threads.run_together([meeting.wait] * count, meeting.abandoned.set)
    assert not meeting.abandoned.is_set()
    return done, meeting


def assert_works():
    done, meeting = together(3)
    assert done
    assert len(set(meeting.names)) == 3


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_each_task_has_a_thread_of_its_own_and_one_is_the_callers(count):
    for _ in range(5):
        done, meeting = together(count)
        assert done is True
        assert len(set(meeting.names)) == len(meeting.names) == count
        assert threading.current_thread().name in meeting.names
        assert meeting.alone == []


def test_nothing_runs_where_a_helper_is_busy():
    let_go, taken = threading.Event(), threading.Semaphore(0)

    def task():
        taken.release()
        assert let_go.wait(10)

    other = threading.Thread(target=threads.run, args=([task] * 2, 2))
    other.start()
    try:
        assert taken.acquire(timeout=10)
        assert taken.acquire(timeout=10)  # one of the two runs on a helper
        ran = []
        assert threads.run_together([lambda: ran.append(1)] * 2, lambda: ran.append(2)) is False
        assert ran == []
    finally:
        let_go.set()
        other.join(10)
    assert_works()


def test_nothing_runs_where_another_caller_runs_together():
    meeting, inside, answers = Meeting(2), threading.Event(), []

    def first():
        inside.set()
        meeting.wait()

    def second():
        assert inside.wait(10)
        answers.append(threads.run_together([lambda: answers.append("ran")] * 2, lambda: None))
        meeting.wait()

    idle()
    assert threads.run_together([first, second], meeting.abandoned.set)  # also from inside a task
    assert answers == [False]
    assert_works()


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_an_error_abandons_the_others_and_reaches_the_caller(failing, error):
    meeting = Meeting(4)  # one more than can come

    def fail():
        deadline = time.monotonic() + 10
        while len(meeting.names) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        raise error

    tasks = [fail if i == failing else meeting.wait for i in range(3)]
    idle()
    began = time.monotonic()
    with pytest.raises(type(error)) as caught:
        threads.run_together(tasks, meeting.abandoned.set)
    assert caught.value is error
    assert time.monotonic() - began < 5
    assert len(meeting.alone) == 2  # both had ended when the call did
    assert_works()


def test_many_callers_each_get_an_answer():
    """Some run, others are told to go on alone; nobody waits for a thread that never comes."""
    answers = []

    def call(_):
        for _ in range(20):
            meeting = Meeting(3)
            done = threads.run_together([meeting.wait] * 3, meeting.abandoned.set)
            answers.append(done)
            assert len(meeting.names) == 3 * done
            assert meeting.alone == []

    call_at_once(12, call)
    assert len(answers) == 12 * 20
    assert True in answers


def python(script, **settings):
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, **settings)


_MEET = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")
from npbert.engine import threads
def meet(count=3, reachable=True, abandoned=None):
    abandoned, came = abandoned or threading.Event(), []
    def task():
        came.append(1)
        deadline = time.monotonic() + 5
        while len(came) < count + (not reachable) and not abandoned.is_set():
            assert time.monotonic() < deadline
            time.sleep(0.001)
    return threads.run_together([task] * count, abandoned.set) and len(came)
"""

_FORK = """
assert meet() == 3
child = os.fork()
if child == 0:
    os._exit(0 if meet() == 3 else 1)
assert os.waitpid(child, 0)[1] == 0
assert meet(4) == 4
inside = threading.Event()
def forever():
    inside.set()
    time.sleep(60)
threading.Thread(target=threads.run_together, args=([forever] * 2, print), daemon=True).start()
assert inside.wait(10)
assert meet() is False  # busy
child = os.fork()  # while another thread holds all that can be held
if child == 0:
    os._exit(0 if meet() == 3 else 1)
assert os.waitpid(child, 0)[1] == 0
print("all")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_threads_of_its_own():
    with python(_MEET + _FORK) as process:
        assert process.communicate(timeout=60)[0] == b"all\n"


_INTERRUPT = """
print("ready", flush=True)
try:
    meet(reachable=False)
except KeyboardInterrupt:
    print("interrupted", meet(), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process alone")
def test_ctrl_c_ends_all_threads_at_once_and_the_next_call_works():
    with python(_MEET + _INTERRUPT) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == b"interrupted 3\n"
        assert time.monotonic() - began < 1
        assert process.returncode == 0


_EVERY_LINE = """
# Ctrl-C at each line that the caller passes between looking for a task and the end, in one forked
# child each; not at a `with`, whose own line Python also passes on the way out, with the lock held.
FUNCTIONS = {"run_together", "_hand_out", "run", "work", "_finish"}
lines = open(threads.__file__).read().splitlines()
def interrupted(number):
    passed, names, where, abandoned = [], set(), [], threading.Event()
    def trace(frame, event, argument):
        if frame.f_code.co_filename != threads.__file__ or frame.f_code.co_name not in FUNCTIONS:
            return None
        line = lines[frame.f_lineno - 1].strip()
        if event == "line" and not line.startswith("with "):
            passed.append(line)
            names.add(frame.f_code.co_name)
            if len(passed) == number:
                where.append(f"{frame.f_code.co_name}: {line}")
                time.sleep(0.03)  # helpers have their tasks, and wait for the caller's
                raise KeyboardInterrupt
        return trace
    def give_up():
        print("hangs after Ctrl-C at", *where, flush=True)
        os._exit(1)
    watch = threading.Timer(1, give_up)
    watch.daemon = True
    watch.start()
    sys.settrace(trace)
    try:
        meet(abandoned=abandoned)
    except KeyboardInterrupt:
        pass
    sys.settrace(None)
    if not where:  # there are not so many lines
        os._exit(9 if names == FUNCTIONS else 1)
    deadline = time.monotonic() + 0.5
    while threads._tickets and time.monotonic() < deadline:
        time.sleep(0.001)
    if threads._tickets or meet() != 3:
        print("the call is wrong that follows Ctrl-C at", *where, flush=True)
    os._exit(0)
for number in range(1, 200):
    child = os.fork()
    if child == 0:
        interrupted(number)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9:
        print("every line")
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_ctrl_c_at_any_line_of_the_caller_ends_the_call():
    with python(_MEET + _EVERY_LINE) as process:
        assert process.communicate(timeout=60)[0].decode().splitlines() == ["every line"]
