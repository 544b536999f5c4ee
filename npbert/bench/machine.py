"""The machine and the versions, for the record: what makes a figure worth comparing."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from npbert.engine.threads import available

PROC: Final = Path("/proc")
_CPUS: Final = Path("/sys/devices/system/cpu")
_TICKS: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def describe() -> dict[str, Any]:
    """The CPU, caches, frequencies, memory, system: plain values. What is unknown is absent."""
    text = _read(PROC / "cpuinfo")
    count, reason = available()
    found: dict[str, Any] = {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "cpu": _field(text, "model name") or platform.processor() or None,
        "family": _field(text, "cpu family"),
        "model": _field(text, "model"),
        "stepping": _field(text, "stepping"),
        "flags": sorted((_field(text, "flags") or _field(text, "Features") or "").split()),
        "hypervisor": _read(Path("/sys/hypervisor/type")).strip() or None,
        "cpus": os.cpu_count(),
        "cpus_usable": count,
        "cpus_usable_reason": reason,
        "mhz": [float(mhz) for mhz in re.findall(r"cpu MHz\s*:\s*([\d.]+)", text)],
        "governor": _read(_CPUS / "cpu0/cpufreq/scaling_governor").strip() or None,
        "caches": caches(),
        "memory_bytes": memory(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }
    return {name: value for name, value in found.items() if value not in (None, [], {}, "")}


def caches() -> dict[str, str]:
    """``{"L1 Data": "48K", "L2 Unified": "2048K", ...}`` of the first CPU."""
    found = {}
    for folder in sorted((_CPUS / "cpu0/cache").glob("index*")):
        level, kind, size = (_read(folder / name).strip() for name in ("level", "type", "size"))
        found[f"L{level} {kind}"] = size
    return found


def memory() -> int | None:
    """Bytes of memory in the machine."""
    found = re.search(r"MemTotal:\s*(\d+) kB", _read(PROC / "meminfo"))
    return int(found[1]) * 1024 if found else None


def ticks(file: Path = PROC / "stat") -> dict[str, int]:
    """How all CPUs have spent their time so far, in hundredths of a second; empty off Linux."""
    first = _read(file).partition("\n")[0].split()
    return dict(zip(_TICKS, map(int, first[1:]))) if first else {}


def stolen(before: dict[str, int], after: dict[str, int]) -> float | None:
    """Of the CPUs' time between two `ticks`, the share that went to other guests of the host."""
    spent = {name: after[name] - before[name] for name in before}
    total = sum(spent.values())
    return spent["steal"] / total if total else None


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed ones of these, with their versions."""
    found = {}
    for package in sorted(set(packages)):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
