"""Rows with their vectors to files, written whole or not at all; and back from there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from npbert.cli.sources import Row, pyarrow_parquet
from npbert.cli.stamp import Stamp, stamp_path
from npbert.errors import InputError, ModelFileError
from npbert.weights.atomic import atomic_write as atomic_write
from npbert.weights.atomic import replacing

F32 = NDArray[np.float32]

FORMATS: Final = (".npy", ".jsonl", ".parquet")
_ROWS_AT_ONCE: Final = 1024


class Table(NamedTuple):
    """Rows with their vectors, which may be more than fit into memory.

    Args:
        rows: each row with its vector.
        length: how many.
        dimension: D, the length of a vector.
        ids: whether rows have ids.
    """

    rows: Iterable[tuple[Row, F32]]
    length: int
    dimension: int
    ids: bool


def check_output(path: Path | None) -> None:
    """Refuse a file that could not be written in the end, before any work is done.

    Raises:
        typer.BadParameter: an unknown suffix, no such directory, or no file.
        DependencyError: Parquet without pyarrow.
        ConfigError: the directory may not be written to.
    """
    if path is None:
        return
    if path.suffix not in FORMATS:
        raise typer.BadParameter(f"{path} must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise typer.BadParameter(str(error)) from None
    if not target.parent.is_dir() or (target.exists() and not target.is_file()):
        raise typer.BadParameter(
            f"{path} is a directory or a device, or its directory does not exist"
        )
    if path.suffix == ".parquet":
        pyarrow_parquet()
    with replacing(path) as files:  # what would stop the renaming in the end stops it here
        files.scratch(target.parent)


def check_ids(path: Path | None, rows: Iterable[Row]) -> Iterator[Row]:
    """Pass on rows whose ids the file can hold.

    Raises:
        InputError: at the first row whose id does not fit into the column of a Parquet file.
    """
    kind: type | None = None
    for number, row in enumerate(rows, 1):
        if path is not None and path.suffix == ".parquet" and row.id is not None:
            kind = kind or type(row.id)
            if type(row.id) is not kind or not -(2**63) <= _number(row.id) < 2**63:
                raise InputError(
                    "the ids are not of one kind, as a Parquet column must be.",
                    where=f"row {number}",
                    received=f"{row.id!r:.80}",
                    expected="64-bit ints only, or strs only",
                    fix="write .jsonl, or make the ids alike",
                )
        yield row


def _number(value: int | str) -> int:
    return value if isinstance(value, int) else 0


def write_table(path: Path, table: Table, stamp: Stamp) -> None:
    """Write a file of one of `FORMATS` and its stamp.

    Raises:
        ModelFileError: there are fewer or more rows than ``table.length``.
        ConfigError: the system refused; what was there before is as it was.
    """
    write = {".npy": _write_npy, ".jsonl": _write_jsonl, ".parquet": _write_parquet}[path.suffix]
    path = path.resolve()
    with replacing(path) as files:
        # Killed between two renamings, the output has this stamp, which fits no run.
        files.json(stamp_path(path), {})
        with open(files.file(path), "wb") as file:
            write(file, table._replace(rows=_counted(table)))
        files.json(stamp_path(path), stamp)


def _counted(table: Table) -> Iterator[tuple[Row, F32]]:
    count = 0
    for row in table.rows:
        count += 1
        yield row
    if count != table.length:
        raise ModelFileError(
            "rows that were stored cannot be read any more.",
            received=f"{count:,} rows",
            expected=f"{table.length:,}",
            fix="go on with --resume, and see whether the disk is sound",
        )


def _write_npy(file: BinaryIO, table: Table) -> None:
    """(n, D) float32, in the order of the rows."""
    shape = (table.length, table.dimension)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for _, vector in table.rows:
        file.write(vector.tobytes())


def _write_jsonl(file: BinaryIO, table: Table) -> None:
    # Nine digits give back the same float32, in an eighth of the time of the shortest that do.
    numbers = ", ".join(["%.9g"] * table.dimension)
    for row, vector in table.rows:
        value = ({"id": row.id} if table.ids else {}) | {"text": row.text}
        head = json.dumps(value, ensure_ascii=False).removesuffix("}")
        embedding = f"[{numbers % tuple(vector.tolist())}]"
        embedding = re.sub(r"-0(?=[],])", "-0.0", embedding)  # -0 would be an int, without a sign
        file.write(f'{head}, "embedding": {embedding}}}\n'.encode())


def _write_parquet(file: BinaryIO, table: Table) -> None:
    """Columns id (where there are any), text, and embedding: FixedSizeList<float32>."""
    pq = pyarrow_parquet()
    import pyarrow as pa

    rows = iter(table.rows)
    first = next(rows, None)
    number = first is not None and isinstance(first[0].id, int)
    fields = [("id", pa.int64() if number else pa.string())] if table.ids else []
    vectors = pa.list_(pa.float32(), table.dimension)
    schema = pa.schema([*fields, ("text", pa.string()), ("embedding", vectors)])
    with pq.ParquetWriter(file, schema) as writer:
        part = [] if first is None else [first, *islice(rows, _ROWS_AT_ONCE - 1)]
        while part:
            writer.write_batch(_batch(pa, schema, part, table))
            part = list(islice(rows, _ROWS_AT_ONCE))


def _batch(pa: Any, schema: Any, part: list[tuple[Row, F32]], table: Table) -> Any:
    numbers = np.concatenate([vector for _, vector in part])
    texts = [row.text for row, _ in part]
    columns = [pa.array([row.id for row, _ in part], schema.field("id").type)] if table.ids else []
    columns += [pa.array(texts, pa.string())]
    columns += [pa.FixedSizeListArray.from_arrays(pa.array(numbers), table.dimension)]
    return pa.record_batch(columns, schema=schema)


def read_table(path: Path, dimension: int) -> Iterator[tuple[Row, F32]]:
    """The rows of a file that `write_table` wrote, with their (D,) vectors.

    Raises:
        InputError: an ``.npy`` file, which has no texts.
        ModelFileError: the file is damaged, or holds something else.
    """
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputError(
            "the vectors can only be taken from a file that has the texts.",
            where=path,
            expected=".jsonl or .parquet",
        )
    for number, fields in enumerate(_fields(path), 1):
        try:
            vector = np.array(fields["embedding"], np.float32)
            if vector.shape != (dimension,) or not np.isfinite(vector).all():
                raise ValueError(f"an embedding of shape {vector.shape}")
            yield Row(fields["text"], fields.get("id")), vector
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                "not a row that npbert wrote.", where=f"{path}, row {number}", received=error
            ) from None


def _fields(path: Path) -> Iterator[Any]:
    try:
        if path.suffix == ".jsonl":
            with open(path, "rb") as file:
                yield from map(json.loads, file)
            return
        with pyarrow_parquet().ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except (ValueError, RecursionError) as error:
        raise ModelFileError("the file is damaged.", where=path, received=error) from None
