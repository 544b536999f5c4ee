"""Every way to store a BERT, from library to library: ``python tests/live/formats_matrix.py``.

In the environment of ``make test-live``. Keras Hub and transformers write, and npbert reads; npbert
writes, and they read. Both sides must then have the same tensors, bit for bit, and compute what the
reference does in float64, as far as the tolerances go. The table has the largest difference of an
output over its tolerance; the command ends with 1 when any row fails. A seed of the clock draws the
models: NPBERT_LIVE_SEED=... repeats it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

if __name__ == "__main__":  # run as a script, from anywhere
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import accuracy
import numpy as np
import tolerances
from goldens import OUTPUTS, bits
from live import formats_keras, formats_torch
from live.formats import KERAS_HUB, SENTENCES, STORED, Format
from live.formats_npbert import config_of
from live.peers import Peers, load
from numpy.typing import NDArray

from golden.cases import Arrays
from npbert import BertBackbone, Embedder, reference
from npbert.config import BertConfig
from npbert.dtype_policy import get, numpy_dtype
from npbert.errors import NpbertError
from npbert.weights.names import tensors

FORMATS = [*formats_keras.FORMATS, *formats_torch.FORMATS]
HEAD = Format("writes", "reads", "format", "numbers", write=print)
MODULES = {"tensorflow": "live.formats_keras", "torch": "live.formats_torch"}


class Matrix:
    """All the files, which the libraries' processes write and read.

    Args:
        work: an empty folder, where the files stay.
        seed: what the models are drawn from.
    """

    def __init__(self, work: Path, seed: int) -> None:
        self.work, self._seed = work, seed
        self._peers = Peers(work, seed, MODULES)
        self.stop = self._peers.stop

    def path(self, row: Format) -> Path:
        """The row's file or directory, once it is there."""
        self._peers.wait("tensorflow" if row.library == KERAS_HUB else "torch")
        return row.path(self.work)

    def check(self, row: Format) -> float | None:
        """The largest difference of an output over its tolerance; None where nothing is read.

        Raises:
            AssertionError: a tensor or the config is another, or an output is out of tolerance.
        """
        path, built = self.path(row), row.drawn(self._seed)
        if row.refused:
            return _check_refused(row, path, config_of(built))
        stored = load(self.work, row.name)
        model, outputs = _read(row, path, config_of(built), built.inputs)
        assert model.config == config_of(built)
        weights = dict(model.weights())
        _check_same(weights, _meant(row, stored, model.config))
        if row.dtype in STORED:  # what was put in, rounded once
            meant = {name: built.weights[name].astype(STORED[row.dtype]) for name in weights}
            _check_same(weights, meant)
            if row.library == KERAS_HUB and _is_preset(path):
                _check_policy(row, path, meant)
        exact = _exact(row, stored, model, built.inputs)
        assert outputs.keys() == exact.keys()
        worst = _over_tolerance(outputs, stored, exact)
        assert worst <= 1, f"an output is {worst:.2f} times its tolerance off"
        return worst


def _read(
    row: Format, path: Path, config: BertConfig, inputs: Arrays
) -> tuple[BertBackbone, Mapping[str, NDArray[np.float32]]]:
    """npbert's model and outputs, and the warning it is to give."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if row.library == SENTENCES:
            embedder = Embedder(path)
            return embedder.backbone, {"vectors": embedder.encode(formats_torch.TEXTS)}
        model = _backbone(path, config)
    said = [str(each.message) for each in caught]
    assert len(said) == bool(row.says), said
    assert all(row.says in message for message in said), said
    return model, model(inputs)


def _backbone(path: Path, config: BertConfig) -> BertBackbone:
    """By ``from_preset``; a file of weights alone by ``load_weights``. In float32."""
    if _is_preset(path):
        return BertBackbone.from_preset(path, dtype="float32")
    model = BertBackbone(**config.to_dict())
    model.load_weights(path)
    return model


def _is_preset(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".keras"


def _check_policy(row: Format, path: Path, meant: Arrays) -> None:
    """By itself the model is in the policy that it was saved in, each number with its own bits."""
    model = BertBackbone.from_preset(path)
    assert model.dtype_policy == get(row.dtype).in_keras
    dtype = numpy_dtype(model.variable_dtype)
    for name, tensor in model.weights():
        assert tensor.dtype == dtype, name
        assert tensor.tobytes() == meant[name].astype(dtype).tobytes(), name


def _check_refused(row: Format, path: Path, config: BertConfig) -> None:
    try:
        _backbone(path, config)
    except NpbertError as error:
        said = str(error)
    else:
        said = "nothing: it is read"
    assert said.startswith(row.refused), said


def _meant(row: Format, stored: Arrays, config: BertConfig) -> Arrays:
    """The library's tensors under npbert's names and in its shapes."""
    theirs = {k.removeprefix("weights."): a for k, a in stored.items() if k.startswith("weights.")}
    if row.library == KERAS_HUB:
        return theirs
    table = tensors(config, pooler=row.pooler)
    assert theirs.keys() == {each.hugging_face for each in table}
    return {each.name: each.from_hugging_face(theirs[each.hugging_face]) for each in table}


def _exact(row: Format, stored: Arrays, model: BertBackbone, inputs: Arrays) -> Arrays:
    """The outputs in float64, by the reference; the vectors of texts by their own library."""
    if row.library == SENTENCES:
        return {"vectors": stored["exact.vectors"]}
    weights = {name: tensor.astype(np.float64) for name, tensor in model.weights()}
    exact = reference.forward(model.config, weights, **inputs)
    return {name: exact[name] for name in OUTPUTS[: 1 + row.pooler]}


def _check_same(found: Arrays, meant: Arrays) -> None:
    assert found.keys() == meant.keys()
    for name, tensor in meant.items():
        np.testing.assert_array_equal(bits(found[name]), bits(np.float32(tensor)), name)


def _over_tolerance(ours: Arrays, theirs: Arrays, exact: Arrays) -> float:
    """The library's error from float64 over what a stage's may be, or npbert's over the library's.

    The first finds a library that computes something else than npbert takes the config to say.
    """
    off = {name: np.abs(theirs[name] - exact[name]).max() for name in exact}
    own = max(np.abs(ours[name] - exact[name]).max() for name in exact)
    beside = max(tolerances.ACCURACY_LARGEST * max(off.values()), accuracy.FLOOR)
    limit = tolerances.ACCURACY_LARGEST * tolerances.STAGES_FLOAT64
    return max(own / beside, *(off[o] / (limit * np.abs(exact[o]).max()) for o in exact))


# -- the table -------------------------------------------------------------------------------------


def line(row: Format, difference: str) -> str:
    """A row of the table, but for its verdict."""
    return f"{row.writer:21}  {row.reader:21}  {row.about:38}  {row.dtype:20}  {difference:17}"


def right(row: Format, worst: float | None) -> str:
    """The line of a row that is right."""
    return line(row, "refused" if worst is None else f"bytes equal, {worst:.2f}")


def print_table(matrix: Matrix, formats: Iterable[Format]) -> int:
    """Print a line for each row; how many failed."""
    failed = 0
    print(line(HEAD, "difference") + "  verdict")
    for row in formats:
        try:
            print(f"{right(row, matrix.check(row))}  ok", flush=True)
        except (AssertionError, NpbertError) as error:
            print(f"{line(row, '')}  FAILED: {' '.join(str(error).split()):.300}", flush=True)
            failed += 1
    return failed


def main() -> None:
    seed = int(os.environ.get("NPBERT_LIVE_SEED") or time.time())
    with tempfile.TemporaryDirectory() as folder:
        matrix = Matrix(Path(folder), seed)
        try:
            failed = print_table(matrix, FORMATS)
        finally:
            matrix.stop()
    print(f"{len(FORMATS)} rows, {failed} failed; repeat with NPBERT_LIVE_SEED={seed}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
