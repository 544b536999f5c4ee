"""The engines: what each is, what it needs, and where its class is.

An engine's class lives in a module of its own, which only that engine's process imports. This table
is all that the parent knows.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from npbert.bench.checks import TOLERANCE
from npbert.errors import ConfigError

if TYPE_CHECKING:
    from npbert.bench.engines.base import Engine

TANH: Final = "gelu_approximate"
STORED: Final = {"bfloat16": 0.2, "float16": 0.03}
"""Weights of so many bits: how far that may move a number of order 1, a dozen layers later."""
_HASWELL: Final = (
    "+avx,+avx2,+fma,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+bmi,+bmi2,+f16c,+popcnt,+lzcnt"
)
_ONEDNN: Final = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
NPBERT_AVX2: Final = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": _HASWELL}
_TORCH_AVX2: Final = {"ATEN_CPU_CAPABILITY": "avx2", **_ONEDNN}


class Entry(NamedTuple):
    """One engine.

    Args:
        name: on the command line and in tables.
        where: ``module:Class`` below this package.
        about: one line.
        needs: distributions of PyPI, by the module each brings.
        options: what its class is told.
        activation: the GELU it computes; None is the model's own.
        works: the kinds of work it can race; `npbert.bench.works.Work.kind`.
        ragged: how it takes a ragged batch: names of `npbert.bench.experiments.RAGGED`.
        avx2: the environment that keeps it from AVX-512, or None where there is none.
        race: False for what is only looked at.
        named: True for what races only if it is named.
        tolerance: the largest difference from its reference that is rounding.
    """

    name: str
    where: str
    about: str
    needs: Mapping[str, str]
    options: Mapping[str, Any] = {}
    activation: str | None = None
    works: Sequence[str] = ("shape", "ragged", "text")
    ragged: Sequence[str] = ("padded", "sorted")
    avx2: Mapping[str, str] | None = None
    race: bool = True
    named: bool = False
    tolerance: float = TOLERANCE

    @property
    def reference(self) -> str:
        """The npbert that computes the same function."""
        return "npbert-tanh" if self.activation == TANH else "npbert"

    @property
    def missing(self) -> list[str]:
        """Distributions that are not installed."""
        return [package for module, package in self.needs.items() if find_spec(module) is None]

    def make(self) -> Engine:
        """An instance; imports the library."""
        module, _, name = self.where.partition(":")
        found: Any = importlib.import_module(f"{__name__}.{module}")
        return getattr(found, name)(**self.options)


_TORCH = {"torch": "torch", "transformers": "transformers"}
_ONNX = {**_TORCH, "onnx": "onnx"}
_KERAS = {"keras_hub": "keras-hub"}
_BACKENDS = {
    "tensorflow": ({"tensorflow": "tensorflow-cpu"}, "jitted by XLA"),
    "jax": ({"jax": "jax"}, "jitted by XLA"),
    "torch": ({"torch": "torch"}, "eager"),
    "numpy": ({}, "plain NumPy"),
}

_LISTED: Final = (
    Entry("npbert", "of_npbert:Npbert", "this library", {}, ragged=("ragged",), avx2=NPBERT_AVX2),
    Entry(
        "npbert-tanh",
        "of_npbert:Npbert",
        "this library with Keras Hub's GELU, to race Keras Hub",
        {},
        activation=TANH,
        works=("shape",),
        avx2=NPBERT_AVX2,
    ),
    *(
        Entry(
            f"npbert-{stored}",
            "of_npbert:Npbert",
            f"this library with weights stored in {stored}, computing in float32",
            {},
            {"dtype": f"{stored}_from_float32"},
            ragged=("ragged",),
            avx2=NPBERT_AVX2,
            named=True,
            tolerance=tolerance,
        )
        for stored, tolerance in STORED.items()
    ),
    Entry(
        "onnxruntime",
        "of_onnxruntime:OnnxRuntime",
        "after its transformers optimizer",
        _ONNX | {"onnxruntime": "onnxruntime"},
    ),
    Entry(
        "openvino",
        "of_openvino:OpenVino",
        "float32, LATENCY hint",
        _ONNX | {"openvino": "openvino"},
    ),
    Entry(
        "openvino-throughput",
        "of_openvino:OpenVinoThroughput",
        "float32, THROUGHPUT hint: a stream for each thread",
        _ONNX | {"openvino": "openvino"},
    ),
    *(
        Entry(f"torch-{how}", "of_torch:Torch", about, _TORCH, {"how": how}, avx2=_TORCH_AVX2)
        for how, about in (
            ("eager", "transformers' BertModel, attention op by op"),
            ("sdpa", "transformers' BertModel, scaled_dot_product_attention"),
            ("compile", "the same through torch.compile, weights frozen"),
        )
    ),
    Entry(
        "ctranslate2",
        "of_ctranslate2:CTranslate2",
        "Encoder, float32; removes padding itself",
        {**_TORCH, "ctranslate2": "ctranslate2"},
        avx2={"CT2_FORCE_CPU_ISA": "AVX2", **_ONEDNN},
    ),
    Entry(
        "sentence-transformers",
        "of_sentence_transformers:SentenceTransformers",
        "SentenceTransformer.encode",
        {"sentence_transformers": "sentence-transformers"},
        works=("text",),
        avx2=_TORCH_AVX2,
    ),
    *(
        Entry(
            f"keras-{backend}",
            "of_keras:KerasHub",
            f"Keras Hub's BertBackbone on {backend}, {how}",
            _KERAS | needs,
            {"backend": backend},
            activation=TANH,
            works=("shape",),
        )
        for backend, (needs, how) in _BACKENDS.items()
    ),
    Entry(
        "torch-float64",
        "of_torch:Torch",
        "transformers' BertModel in float64: the truth",
        _TORCH,
        {"how": "eager", "width": "float64"},
        race=False,
    ),
    Entry(
        "torch-float64-tanh",
        "of_torch:Torch",
        "the same with Keras Hub's GELU",
        _TORCH,
        {"how": "eager", "width": "float64"},
        activation=TANH,
        race=False,
    ),
)
ENGINES: Final = {entry.name: entry for entry in _LISTED}


def choose(names: Sequence[str]) -> list[Entry]:
    """The engines of these names, for none all but a few; npbert is always among them.

    A name also stands for all that begin with it: ``torch`` for torch-eager and the others.

    Raises:
        ConfigError: an unknown name.
    """
    racing = [entry for entry in ENGINES.values() if entry.race]
    if not names:
        return [entry for entry in racing if not entry.named]
    wanted = set()
    for name in ("npbert", *names):
        found = [e.name for e in racing if e.name == name] or [
            e.name for e in racing if e.name.startswith(f"{name}-")
        ]
        if not found:
            raise ConfigError(
                "the bench knows no such engine.",
                where="--engines",
                received=name,
                expected=", ".join(entry.name for entry in racing),
                fix="name some of these, or leave --engines out for all of them",
            )
        wanted |= {*found, *(ENGINES[each].reference for each in found)}
    return [entry for entry in racing if entry.name in wanted]


def why_not(entry: Entry) -> str | None:
    """What keeps an engine from running here, and what to do about it; None for nothing."""
    if entry.missing:
        return f"not installed: pip install {' '.join(entry.missing)}"
    if entry.name == "torch-compile" and not (shutil.which("g++") or shutil.which("clang++")):
        return "no C++ compiler on the path, which torch.compile needs"
    return None
