"""Vectors of an earlier output, for the rows that have not changed since."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npbert.cli.outputs import read_table
from npbert.cli.sources import Row
from npbert.cli.stamp import Stamp, check_same, read_stamp

F32 = NDArray[np.float32]


class Known:
    """The vectors lie on disk, for they may be many.

    Args:
        earlier: a whole output with its stamp; None knows nothing.
        stamp: of this run, which must be the earlier one's.
        folder: where there is room.

    Raises:
        InputError: the earlier output has another stamp, or no texts.
        ModelFileError: it has no stamp, or is damaged.
    """

    def __init__(self, earlier: Path | None, stamp: Stamp, folder: Path) -> None:
        self._places: dict[bytes, int] = {}
        self._vectors: NDArray[Any] = np.empty((0, 0), np.float32)
        if earlier is None:
            return
        check_same(read_stamp(earlier), stamp, earlier, "compute it again without --reuse")
        dimension = int(stamp["dimension"])
        with tempfile.TemporaryFile(dir=folder) as file:
            for place, (row, vector) in enumerate(read_table(earlier, dimension)):
                self._places[_digest(row)] = place
                file.write(vector.tobytes())
            file.flush()
            if self._places:  # an empty file cannot be mapped
                self._vectors = np.memmap(file, np.float32, "r").reshape(-1, dimension)

    def get(self, row: Row) -> F32 | None:
        """The (D,) vector of a row whose id and text are as they were, else None."""
        place = self._places.get(_digest(row))
        return None if place is None else self._vectors[place]


def _digest(row: Row) -> bytes:
    return hashlib.blake2b(json.dumps(row).encode(), digest_size=16).digest()
