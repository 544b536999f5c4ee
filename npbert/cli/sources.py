"""Where texts come from: arguments, a file, or stdin."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from npbert.errors import InputError


def gather(texts: list[str] | None, file: Path | None) -> list[str]:
    """The texts of one command, from exactly one place.

    Raises:
        typer.BadParameter: texts from two places, from none, or from a file that is not there.
        InputError: the file is not UTF-8.
    """
    if texts and file is not None:
        raise typer.BadParameter("give texts or --input FILE, not both")
    if texts:
        return texts
    if file is not None and str(file) != "-":
        if file.is_dir() or not file.exists():
            raise typer.BadParameter(f"--input {file} does not exist, or is a directory")
        return split_lines(file.read_bytes(), file)
    if file is None and sys.stdin.isatty():
        raise typer.BadParameter("no texts: give them as arguments, with --input FILE or on stdin")
    return split_lines(sys.stdin.buffer.read(), "stdin")


def split_lines(content: bytes, where: object) -> list[str]:
    """One text per line. An empty line is an empty text, so that row i belongs to line i.

    Lines end with LF or CR LF, and only there: characters such as U+2028 are part of a text.

    Raises:
        InputError: the content is not UTF-8; the message has the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            "the texts are not UTF-8.",
            where=f"{where}, line {line}",
            received=f"byte 0x{content[error.start]:02x}",
            fix="convert the file, for instance with iconv -t utf-8",
        ) from None
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
