"""The whole of a run: what was asked for, one experiment after the other, and its record."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import npbert
from npbert.bench import (
    accuracy,
    by_op,
    experiments,
    latency,
    machine,
    models,
    report,
    reproducibility,
    text_job,
    works,
)
from npbert.bench.engines import ENGINES
from npbert.bench.race import Race
from npbert.bench.report import Section
from npbert.bench.session import Session, Settings
from npbert.bench.works import Work
from npbert.errors import DependencyError, ModelFileError

FORMAT: Final = 1
"""Of the record; a reader of other numbers must look before it compares."""

Extra = Callable[[Session], tuple[str, list[Section], Any]]
"""What is measured besides races: a name for the record, tables, and their data."""

EXTRAS: Final[dict[str, Extra]] = {
    "kernels": by_op.run,
    "accuracy": accuracy.run,
    "latency": latency.run,
    "reproducibility": reproducibility.run,
}

_LIBRARIES: Final = ("numpy", "numba", "llvmlite", "tokenizers", "keras", "babel", "onnxscript")


@dataclass
class Results:
    """What a run found, in the order in which it found it."""

    settings: Settings
    races: list[Race] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    engine_settings: dict[str, dict[str, str]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # works, and why
    stolen: float | None = None
    seconds: float = 0.0


def run(
    settings: Settings,
    names: Sequence[str],
    extras: Sequence[Extra] = (),
    show: Callable[[Section], None] = lambda section: None,
) -> Results:
    """Race on the works of these names, then do the extras; ``show`` is told of each table.

    Raises:
        ConfigError: a name of no work or model, or a shape that the model cannot take.
    """
    results, ticks, start = Results(settings), machine.ticks(), time.monotonic()
    listed = works.parse(names)
    models.check(listed)
    listed.sort(key=lambda work: list(models.MODELS).index(work.model))
    with Session(settings) as session:
        for found in _races(session, listed, results):
            results.races.append(found)
            results.sections.append(report.race_section(found))
            show(results.sections[-1])
        for extra in extras:
            name, sections, data = extra(session)
            results.data[name] = data
            results.sections += sections
            for section in sections:
                show(section)
        results.absent = session.engines.absent
        results.engine_settings = session.engines.settings
    results.stolen = machine.stolen(ticks, machine.ticks()) if ticks else None
    results.seconds = time.monotonic() - start
    closing = [report.summary(results.races)] if results.races else []
    for section in (*closing, engines_section(results)):
        results.sections.append(section)
        show(section)
    return results


def _races(session: Session, listed: Sequence[Work], results: Results) -> Iterator[Race]:
    """Model after model: no more engines at once than one model's."""
    for work in listed:
        try:
            session.keep(session.model(work.model))
            yield (text_job if work.kind == "text" else experiments).run(session, work)
        except (DependencyError, ModelFileError) as error:
            results.skipped[work.name] = f"{error.what} {error.fix or ''}"


def engines_section(results: Results) -> Section:
    """Every engine asked for: its version and settings, or why it is not there."""
    section = Section("engines", _about(results), ("engine", "version", "settings"), [])
    section.left = 3
    for name in results.settings.engines:
        entry = ENGINES[name]
        packages = ", ".join(f"{p} {v}" for p, v in machine.versions(entry.needs.values()).items())
        packages = packages or (f"npbert {npbert.__version__}" if not entry.needs else "-")
        chosen = results.engine_settings.get(name, {})
        settings = ", ".join(f"{key} {value}" for key, value in chosen.items())
        settings = results.absent.get(name) or settings or "took no part"
        section.rows.append([name, packages, settings])
    section.notes += [f"{work} left out: {reason}" for work, reason in results.skipped.items()]
    return section


def _about(results: Results) -> str:
    settings, cpu = results.settings, machine.describe()
    threads = ", ".join(map(str, settings.threads))
    forced = f", forced to {settings.isa}" if settings.isa else ""
    steal = "" if results.stolen is None else f", {results.stolen:.1%} of CPU time stolen"
    libraries = ", ".join(f"{p} {v}" for p, v in machine.versions(_LIBRARIES).items())
    return (
        f"{cpu.get('cpu', 'an unknown CPU')}, {cpu['cpus_usable']} CPUs; threads {threads}{forced};"
        f" {settings.rounds} rounds, at least {settings.pause * 1e3:.0f} ms between turns, seed"
        f" {settings.seed}{steal}; python {cpu['python']}, {libraries}"
    )


def record(results: Results, *, cpu: bool) -> dict[str, Any]:
    """Everything as JSON has it; ``cpu`` adds the machine's details, for others to compare with."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "npbert": npbert.__version__,
        "numerics": npbert.NUMERICS,
        "settings": vars(results.settings),
        "seconds": results.seconds,
        "stolen": results.stolen,
        "races": [report.plain(race) for race in results.races],
        "sections": [dataclasses.asdict(section) for section in results.sections],
        "engines": {
            name: {
                "about": ENGINES[name].about,
                "versions": machine.versions(ENGINES[name].needs.values()),
                "settings": results.engine_settings.get(name, {}),
                "absent": results.absent.get(name),
            }
            for name in results.settings.engines
        },
        "libraries": machine.versions(_LIBRARIES),
        "skipped": results.skipped,
        **results.data,
    }
    return found | ({"machine": machine.describe()} if cpu else {})
