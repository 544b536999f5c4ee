"""What makes this folder live: it is collected only with NPBERT_LIVE=1, and then nothing may skip.

Keras chooses its backend once a process, and the peers warn of many things on import, so each runs
in a process of its own (`live.keras_worker`, `live.torch_worker`) that leaves its numbers in files.
The tests read them. What is drawn at random comes from a seed of the clock, which every failure
prints; NPBERT_LIVE_SEED=... repeats it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

LIVE = os.environ.get("NPBERT_LIVE") == "1"
# In the environment, so that every process of a run draws from the same.
SEED = int(os.environ.setdefault("NPBERT_LIVE_SEED", str(int(time.time()))))

collect_ignore_glob = [] if LIVE else ["*"]

if LIVE:
    from live import drawn, minilm
    from live.peers import Peers


@pytest.fixture(scope="session")
def seed() -> int:
    """What this run's random models and inputs are drawn from."""
    return SEED


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory):
    """The peers' processes, started at once; each is waited for when its numbers are needed."""
    work: Path = tmp_path_factory.mktemp("peers")
    minilm.write_inputs(work)
    started = Peers(work, SEED)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def cases():
    """This run's random models, with inputs and weights."""
    return {case.name: drawn.build(case) for case in drawn.keras_cases(SEED)}


@pytest.fixture
def measured(request: pytest.FixtureRequest):
    """Takes lines for the end of the report: what was measured, pass or fail."""
    return lambda line: request.node.user_properties.append(("measured", line))


def pytest_terminal_summary(terminalreporter) -> None:
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
    ]
    if lines := [v for each in reports for k, v in each.user_properties if k == "measured"]:
        terminalreporter.section("measured against the peers")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A skip is a failure here, and a failure shows the seed."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped, and a live test must run: {report.longrepr}"
    if report.failed:
        report.sections.append(("seed", f"repeat with NPBERT_LIVE_SEED={SEED}"))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A module that skips itself is a failure too."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
    return report
