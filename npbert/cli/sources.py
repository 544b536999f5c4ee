"""Where texts come from: arguments, stdin, or a file of lines, JSON lines, CSV or Parquet.

Files are read row by row, however large they are. A row that cannot be used is an error that names
its line.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import typer

from npbert.errors import DependencyError, InputError
from npbert.text.checks import check_text

Id = str | int | None

_MAX_LINE_BYTES: Final = 100_000_000


class Row(NamedTuple):
    """One text, and what identifies it where the input says so."""

    text: str
    id: Id = None


class Columns(NamedTuple):
    """The names of the columns that are read."""

    text: str = "text"
    id: str | None = None


LINES: Final = Columns()


def gather(texts: list[str] | None, file: Path | None, columns: Columns = LINES) -> list[str]:
    """The texts of one command; raises as `rows`."""
    return [row.text for row in rows(texts, file, columns)]


def rows(texts: list[str] | None, file: Path | None, columns: Columns = LINES) -> Iterator[Row]:
    """The rows of one command, from exactly one place.

    Args:
        texts: given as arguments.
        file: ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet``, else one text a line; ``-`` is stdin,
            and so is None without ``texts``; stdin is lines.
        columns: which columns of the file are read; those of lines have no names.

    Raises:
        typer.BadParameter: texts from two places, from none, or from a file that is not there;
            columns of lines.
        InputError: at the row that is not UTF-8, not well formed, or lacks a column.
        DependencyError: the file is Parquet, and pyarrow is not installed.
    """
    if texts and file is not None:
        raise typer.BadParameter("give texts or --input FILE, not both")
    path = None if str(file) == "-" else file
    if path is not None and (path.is_dir() or not path.exists()):
        raise typer.BadParameter(f"--input {path} does not exist, or is a directory")
    if columns != LINES and (path is None or path.suffix.lower() not in _WITH_COLUMNS):
        raise typer.BadParameter(
            f"--text-column and --id-column go with --input FILE, {', '.join(_WITH_COLUMNS)}"
        )
    if texts:
        return (Row(text) for text in texts)
    if path is not None:
        return _of_file(path, columns)
    if sys.stdin is None or (file is None and sys.stdin.isatty()):
        raise typer.BadParameter("no texts: give them as arguments, with --input FILE or on stdin")
    return _lines(sys.stdin.buffer, "stdin", columns)


def _of_file(path: Path, columns: Columns) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet(path, columns)
        return
    with open(path, "rb") as file:
        yield from _READERS.get(suffix, _lines)(file, path, columns)


def _lines(file: BinaryIO, where: object, columns: Columns) -> Iterator[Row]:
    """One text a line. An empty line is an empty text, so that row i belongs to line i."""
    for number, text in _decoded(file, where):
        check_text(text, f"{where}, line {number}")
        yield Row(text)


def _decoded(file: BinaryIO, where: object) -> Iterator[tuple[int, str]]:
    """(number, line). Lines end with LF or CR LF, and only there: U+2028 is part of a text."""
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), 1):
        if len(line) == _MAX_LINE_BYTES:
            raise InputError(
                f"the line has more than {_MAX_LINE_BYTES:,} bytes.",
                where=f"{where}, line {number}",
                fix="split the text into passages",
            )
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                "the texts are not UTF-8.",
                where=f"{where}, line {number}",
                received=f"byte 0x{line[error.start]:02x}",
                fix="unpack the file if it is compressed, or convert it with iconv -t utf-8",
            ) from None


def _json_lines(file: BinaryIO, where: object, columns: Columns) -> Iterator[Row]:
    """One JSON object a line; empty lines are passed over."""
    for number, line in _decoded(file, where):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError("the line is no JSON.", where=place, received=error) from None
        if not isinstance(value, dict):
            raise InputError(
                "the line is no JSON object.",
                where=place,
                received=f"{value!r:.80}",
                expected=f'an object such as {{"{columns.text}": "..."}}',
            )
        yield _row(value, place, columns)


def _separated(delimiter: str) -> Callable[[BinaryIO, object, Columns], Iterator[Row]]:
    def read(file: BinaryIO, where: object, columns: Columns) -> Iterator[Row]:
        """A first line of names; a field may hold line ends between quotes."""
        # The csv module wants to see the line ends that are inside fields.
        lines = (f"{line}\n" for _, line in _decoded(file, where))
        csv.field_size_limit(_MAX_LINE_BYTES)  # a quote that is never closed takes all that follows
        table = csv.DictReader(lines, delimiter=delimiter, strict=True)
        while True:
            try:
                if not table.line_num and table.fieldnames is not None:
                    _check_columns(columns, table.fieldnames, f"{where}, line 1")
                fields = next(table, None)
            except csv.Error as error:
                place = f"{where}, line {table.reader.line_num}"
                raise InputError("the row is no CSV.", where=place, received=error) from None
            if fields is None:
                return
            place = f"{where}, line {table.line_num}"
            yield _row(_whole(fields, place), place, columns)

    return read


def _whole(fields: dict[Any, Any], place: str) -> dict[str, str]:
    """The fields of a row that has as many as there are names."""
    if None in fields or None in fields.values():
        raise InputError(
            "the row has another number of fields than the first line.",
            where=place,
            fix='put fields with commas, quotes or line ends between quotes: "..."',
        )
    return fields


_READERS: Final[dict[str, Callable[[BinaryIO, object, Columns], Iterator[Row]]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
}
_WITH_COLUMNS: Final = (*_READERS, ".parquet")


def _parquet(path: Path, columns: Columns) -> Iterator[Row]:
    pq = pyarrow_parquet()
    names = [name for name in columns if name is not None]
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(columns, file.schema_arrow.names, path)
            number = 0
            for batch in file.iter_batches(batch_size=1024, columns=names):
                for fields in batch.to_pylist():
                    number += 1
                    yield _row(fields, f"{path}, row {number}", columns)
    except (OSError, ValueError) as error:  # pyarrow's own are of these kinds
        if isinstance(error, InputError):
            raise
        raise InputError(
            "it cannot be read as a Parquet file.", where=path, received=error
        ) from None


def pyarrow_parquet() -> Any:
    """``pyarrow.parquet``.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DependencyError(
            "Parquet files need pyarrow, which is not installed.",
            fix="pip install 'npbert[parquet]'",
        ) from None
    return pq


def _check_columns(columns: Columns, found: Iterable[str], where: object) -> None:
    listed = list(found)
    for name in columns:
        if name is not None and listed.count(name) != 1:
            raise InputError(
                f"there {'are several columns' if name in listed else 'is no column'} {name!r}.",
                where=where,
                received=", ".join(map(repr, listed[:20])) or "no columns",
                fix="name the columns with --text-column and --id-column",
            )


def _row(fields: dict[str, Any], place: str, columns: Columns) -> Row:
    _check_columns(columns, fields, place)
    text = fields[columns.text]
    check_text(text, place)
    identifier: Any = fields[columns.id] if columns.id is not None else None
    if columns.id is not None and (
        not isinstance(identifier, str | int) or isinstance(identifier, bool)
    ):
        raise InputError(
            "an id must be a str or an int.",
            where=f"{place}, column {columns.id!r}",
            received=f"{identifier!r:.80}",
        )
    if isinstance(identifier, str):
        check_text(identifier, f"{place}, column {columns.id!r}")
    return Row(text, identifier)
