"""``npbert warmup``: the kernels compiled before they are needed, here or for other machines."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npbert.cli import options

if TYPE_CHECKING:
    from npbert.engine.warmup import Work

EXAMPLE = "\n\n".join(
    [
        "Example: npbert warmup --isa avx512,avx2 --dir /opt/npbert",
        "npbert warmup --dtype bfloat16_from_float32",
    ]
)


def run(
    isa: Annotated[
        str | None,
        typer.Option(
            "--isa",
            metavar="LIST",
            help="Compile for these levels rather than for this machine: avx512, avx2, generic,"
            " or on ARM neon, with commas between.",
        ),
    ] = None,
    dtype: Annotated[
        options.DType | None,
        typer.Option(help="The kernels of models with this dtype, besides those of float32."),
    ] = None,
    dir: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Keep them here, readable for every user; use them with NPBERT_CACHE_DIR=DIR.",
        ),
    ] = None,
) -> None:
    """Compile every kernel now, so that no process has to wait for it."""
    from npbert import dtype_policy
    from npbert.engine import warmup
    from npbert.progress import progress
    from npbert.simd import entries
    from npbert.user_cache import user_cache

    start = time.perf_counter()
    if dir is not None:
        os.environ["NPBERT_CACHE_DIR"] = str(dir)  # also for the processes that compile
    policy = dtype_policy.get(dtype or "float32")
    levels = [each.strip() for each in isa.split(",")] if isa is not None else []
    works = warmup.works(levels, policy)
    count = sum(len(work.missing) for work in works)
    if count:
        _announce(count)
        with progress("Compiling kernels", count, show=sys.stderr.isatty()) as advance:
            warmup.compile_missing(works, advance)
    if dir is not None and count:
        entries.share(user_cache())
    for work in works:
        typer.echo(_line(work, len(warmup.kernels(policy))))
    typer.echo(f"kept in {user_cache() / 'kernels'}")
    if count:
        typer.echo(f"{count} compiled in {time.perf_counter() - start:.1f} s")
    if dir is not None:
        typer.echo(f"To use them: NPBERT_CACHE_DIR={user_cache()}")


def _announce(count: int) -> None:
    if not sys.stderr.isatty():
        typer.echo(f"npbert: compiling {count} kernels ...", err=True)


def _line(work: Work, count: int) -> str:
    """For instance ``avx2: 13 kernels, all there, 1.2 MB``"""
    from npbert.simd import entries

    name, target = work.choice.isa.name, work.choice.target
    missing = len(work.missing)
    state = f"{missing} compiled now" if missing else "all there"
    megabytes = entries.size(name, target) / 1e6
    which = name if work.is_level else f"{name} (this machine's)"
    return f"{which}: {count} kernels, {state}, {megabytes:.1f} MB"
