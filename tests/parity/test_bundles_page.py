"""``BUNDLES.md``: the writers on the page write bundles that npbert reads."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import goldens
import numpy as np
import pytest

import npbert.parity
from npbert.parity.bundle import load_bundle
from npbert.parity.sources import open_source

PAGE = Path(npbert.parity.__file__).with_name("BUNDLES.md").read_text(encoding="utf-8")
CC = shutil.which("cc") or shutil.which("gcc")


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_stage_is_on_the_page():
    for stage in goldens.stages(goldens.config("deep")):
        if not re.match(r"layer\.[12]", stage):
            group, _, kind = stage.rpartition(".")
            assert f"`{stage}`" in PAGE or f"`.{kind}`" in PAGE, (group, kind)


def test_the_shapes_on_the_page_are_those_of_the_goldens():
    config, shown = goldens.config("odd_width"), goldens.bundle("odd_width").group("tf64")
    B, T = goldens.inputs("odd_width")["token_ids"].shape
    N, D, F = config.num_heads, config.hidden_dim, config.intermediate_dim
    shapes = {"B": B, "T": T, "N": N, "H": D // N, "D": D, "F": F}
    rows = re.findall(r"^\| (`(?:emb|layer|seq|pooled).*?) \| \((.*?)\)", PAGE, re.MULTILINE)
    for names, letters in rows:
        first, *others = re.findall(r"`([\w.]+)`", names)
        stages = [first, *(first.rpartition(".")[0] + other for other in others)]
        for stage in [stage for stage in stages if stage in shown]:
            assert shown[stage].shape == tuple(shapes[x] for x in letters.split(", ")), stage
    assert len(rows) == 8


def test_the_writer_in_python(tmp_path):
    names = {}
    (writer,) = code("python")
    exec(writer, names)  # what a reader of the page would do
    stages = {"layer.0.query": np.float32([[[[np.pi], [-0.0]]]]).transpose(0, 2, 3, 1)}
    inputs = {name: [[1]] for name in ("token_ids", "segment_ids", "padding_mask")}
    names["write_bundle"](tmp_path / "case", inputs, stages, environment={"port": "1.0"})
    source = open_source(f"bundle:{tmp_path / 'case'}")
    (found,) = source.run(inputs).values()
    assert found.shape == (1, 2, 1, 1)
    assert found.tobytes() == np.float32([np.pi, -0.0]).tobytes()
    assert source.environment == {"port": "1.0"}


@pytest.mark.skipif(CC is None or shutil.which("sha256sum") is None, reason="no C compiler")
def test_the_writer_in_c(tmp_path):
    writer, call = code("c")
    (tmp_path / "write.c").write_text(f"{writer}\nint main(void) {{\n{call}\nreturn 0; }}\n")
    options = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-unused-result", "-Werror"]
    for command in ([CC, *options, "-o", "write", "write.c"], ["./write"]):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    bundle = load_bundle(tmp_path / "case")
    assert bundle.arrays["inputs.token_ids"].tolist() == [[101, 7592, 102], [101, 102, 0]]
    assert bundle.arrays["inputs.padding_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert bundle.arrays["mine.sequence_output"].shape == (2, 3, 4)
    assert bundle.arrays["mine.sequence_output"].ravel()[:2].tolist() == [0.5, 0.0]
    source = open_source(f"bundle:{tmp_path / 'case'}")
    assert list(source.run(source.recorded or {})) == ["sequence_output"]
