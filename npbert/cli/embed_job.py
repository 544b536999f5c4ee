"""Texts to vectors in a file: in bounded memory, however many there are, and resumable."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from npbert.cli.known import Known
from npbert.cli.outputs import Table, write_table
from npbert.cli.sources import Row
from npbert.cli.stamp import Stamp, model_sha256
from npbert.cli.unfinished import Unfinished
from npbert.errors import InputError
from npbert.progress import progress

if TYPE_CHECKING:
    from npbert.tasks.embedder import Embedder

F32 = NDArray[np.float32]

_ROWS_AT_ONCE: Final = 1024
_CHARACTERS_AT_ONCE: Final = 200_000  # some seconds of work at most are lost with a process


class Job(NamedTuple):
    """What is to be done.

    Args:
        embedder: turns texts into vectors.
        options: of ``Embedder.encode``, all that change the vectors.
        batch_size: of ``Embedder.encode``, which changes none.
        output: the file.
        ids: whether rows have ids.
        resume: go on with an unfinished run.
        reuse: an earlier output, to take vectors of unchanged rows from.
    """

    embedder: Embedder
    options: dict[str, Any]
    batch_size: int
    output: Path
    ids: bool = False
    resume: bool = False
    reuse: Path | None = None


class Done(NamedTuple):
    """Rows in all; how many of them an earlier run had done, and how many were reused."""

    rows: int
    resumed: int
    reused: int


def run(job: Job, rows: Iterator[Row], total: int | None) -> Done:
    """Write the vectors of ``rows`` to ``job.output``, with its stamp beside it.

    Args:
        job: what is to be done.
        rows: the input.
        total: how many rows there are, for the progress bar; None if nobody knows.

    Raises:
        ConfigError: an unfinished run is in the way, or a file cannot be written.
        InputError: a text is too long and may not be cut, or what is on disk belongs to another
            model or input.
    """
    stamp = make_stamp(job.embedder, job.options)
    work = _Work(job, Known(job.reuse, stamp, job.output.resolve().parent))
    with Unfinished(job.output, stamp, stamp["dimension"], resume=job.resume) as unfinished:
        resumed = count = unfinished.skip(rows)
        try:
            with progress("Embedding texts", total, None, done=resumed) as advance:
                for part in _parts(rows):
                    unfinished.append(part, work.vectors(part, count))
                    count += len(part)
                    advance(len(part))
        except (KeyboardInterrupt, OSError):
            typer.echo(f"npbert: {count:,} rows are kept; go on with --resume", err=True)
            raise
        table = Table(unfinished.rows(), count, stamp["dimension"], job.ids)
        write_table(job.output, table, stamp)
        unfinished.discard()
    work.warn_of_cut()
    return Done(count, resumed, work.reused)


def make_stamp(embedder: Embedder, options: dict[str, Any]) -> Stamp:
    """Everything that the vectors depend on, beside the texts."""
    from npbert import NUMERICS, __version__

    info = embedder.info()
    return {
        "npbert": __version__,
        "numerics": NUMERICS,
        "model_sha256": model_sha256(Path(info["path"])),
        "activation": info["config"]["activation"],
        "dtype": info["dtype"],
        "pooling": info["pooling"],
        "normalize": info["normalize"],
        "max_seq_length": info["max_seq_length"],
        **options,
        "dimension": embedder.encode([], **options).shape[1],
    }


def _parts(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows to compute and to store together."""
    part: list[Row] = []
    characters = 0
    for row in rows:
        part.append(row)
        characters += len(row.text)
        if len(part) == _ROWS_AT_ONCE or characters > _CHARACTERS_AT_ONCE:
            yield part
            part, characters = [], 0
    if part:
        yield part


class _Work:
    """Rows to vectors, part by part, and what was noticed on the way."""

    def __init__(self, job: Job, known: Known) -> None:
        self._job, self._known = job, known
        self.reused = self._cut = self._longest = 0
        # A part knows nothing of the others: warnings and errors about all rows are made here.
        chunk = job.options["on_truncate"] == "chunk"
        self._options = job.options | {"on_truncate": "chunk" if chunk else "ignore"}

    def vectors(self, part: list[Row], first: int) -> list[F32]:
        """(D,) each; ``first`` is the place of the first row among all."""
        found = [self._known.get(row) for row in part]
        new = [i for i, vector in enumerate(found) if vector is None]
        self.reused += len(part) - len(new)
        computed, info = self._job.embedder.encode(
            [part[i].text for i in new],
            batch_size=self._job.batch_size,
            show_progress_bar=False,
            return_info=True,
            **self._options,
        )
        self._note_cut([(first + new[i], info.n_tokens[i]) for i in np.flatnonzero(info.truncated)])
        vectors = iter(np.asarray(computed, np.float32))
        return [next(vectors) if vector is None else vector for vector in found]

    def _note_cut(self, cut: list[tuple[int, int]]) -> None:
        if cut and self._job.options["on_truncate"] == "error":
            raise InputError(
                "a text is longer than the model reads.",
                where=f"row {cut[0][0] + 1}",
                received=f"{cut[0][1]:,} tokens",
                expected=f"at most {self._job.embedder.max_seq_length}",
                fix="split it, or choose another --on-truncate",
            )
        self._cut += len(cut)
        self._longest = max([self._longest, *(tokens for _, tokens in cut)])

    def warn_of_cut(self) -> None:
        """One warning for all rows that lost their end."""
        if self._cut and self._job.options["on_truncate"] == "warn":
            embedder = self._job.embedder
            warnings.warn(
                f"cut {self._cut:,} texts after {embedder.max_seq_length} tokens, the limit of"
                f" {embedder.limit.source}; the longest has {self._longest:,}",
                stacklevel=3,
            )
