"""The models raced: directories in Hugging Face's format, which every engine can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.bench.works import TEXT_LIMIT, Work
from npbert.config import BertConfig
from npbert.engine.packed import random_weights
from npbert.errors import ConfigError
from npbert.presets import load_preset
from npbert.presets.installed import find_installed
from npbert.weights.names import Array, tensors, weight_shapes

SEED: Final = 20_240
_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_WORDS: Final = (*_SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS))


class Model(NamedTuple):
    """A model that the bench knows by name; `about` is what a table says of it."""

    name: str
    about: str
    config: BertConfig | None  # None: installed, with weights of its own

    @property
    def positions(self) -> int:
        """The most tokens of a sequence."""
        return self.config.max_sequence_length if self.config else 512


def _erf(V: int, L: int, N: int, D: int, F: int, P: int) -> BertConfig:
    return BertConfig(
        vocabulary_size=V,
        num_layers=L,
        num_heads=N,
        hidden_dim=D,
        intermediate_dim=F,
        max_sequence_length=P,
        activation="gelu",
    )


MODELS: Final = {
    model.name: model
    for model in (
        Model(
            "bert-base",
            f"BERT-base: 12 layers, 768 wide, 30522 tokens; random weights of seed {SEED}",
            _erf(30522, 12, 12, 768, 3072, 512),
        ),
        Model("minilm", "all-MiniLM-L6-v2: 6 layers, 384 wide, its published weights", None),
        Model(
            "tiny",
            f"a tiny BERT: 2 layers, 48 wide; random weights of seed {SEED}",
            _erf(len(_WORDS), 2, 3, 48, 96, TEXT_LIMIT),
        ),
    )
}


def check(works: Sequence[Work]) -> None:
    """See that every work can be done, before a long run.

    Raises:
        ConfigError: there is no such model, or it does not take so many tokens.
    """
    for work in works:
        if work.model not in MODELS:
            raise ConfigError(
                "the bench has no such model.",
                where=f"work {work.name}",
                received=work.model,
                expected=", ".join(MODELS),
                fix="begin the work's name with one of these",
            )
        most = MODELS[work.model].positions
        if work.kind == "shape" and not (work.B >= 1 and 1 <= work.T <= most):
            raise ConfigError(
                "the model cannot take this shape.",
                where=f"work {work.name}",
                received=f"{work.B} x {work.T}",
                expected=f"at least 1 x 1, and at most {most} tokens",
                fix=f"for instance {work.model}-1x{most}",
            )


def find(name: str, scratch: Path) -> Path:
    """The directory of a model, written to ``scratch`` if its weights are random.

    Raises:
        ModelFileError: it is not installed; the fix is a line for pip.
    """
    config = MODELS[name].config
    if config is None:
        return find_installed("all-MiniLM-L6-v2")
    folder = scratch / name
    if not folder.exists():
        write(folder, config)
    return folder


def config_of(directory: Path) -> BertConfig:
    """What a model's directory says."""
    return load_preset(directory, load_weights=False).config


def write(folder: Path, config: BertConfig) -> None:
    """Config, random weights, and for the tiny model what makes of it an embedder of texts."""
    from safetensors.numpy import save_file

    folder.mkdir()
    _write_json(folder / "config.json", _hugging_face_config(config))
    save_file(draw_weights(config), folder / "model.safetensors", {"format": "pt"})
    if config.vocabulary_size == len(_WORDS):
        _write_embedder(folder, config)


def draw_weights(config: BertConfig) -> dict[str, Array]:
    """Random weights under Hugging Face's names. No bias is 0, so that none can be forgotten."""
    weights = random_weights(weight_shapes(config), SEED)
    random = np.random.default_rng(SEED)
    made: dict[str, Array] = {}
    for tensor in tensors(config):
        array = weights[tensor.name]
        if tensor.name.rsplit("/", 1)[1] in ("bias", "beta", "gamma"):
            array += np.float32(0.02) * random.standard_normal(array.shape, np.float32)
        flat = tensor.hugging_face_shape
        # (D, N, H) -> (D, N*H) -> (N*H, D)
        array = array.reshape(flat[::-1]).T if tensor.is_kernel else array.reshape(flat)
        made[tensor.hugging_face] = np.ascontiguousarray(array)
    return made


def _hugging_face_config(config: BertConfig) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": config.vocabulary_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "hidden_size": config.hidden_dim,
        "intermediate_size": config.intermediate_dim,
        "max_position_embeddings": config.max_sequence_length,
        "type_vocab_size": config.num_segments,
        "hidden_act": config.activation,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "layer_norm_eps": config.layer_norm_epsilon,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",  # CTranslate2's converter wants it said
    }


def _write_embedder(folder: Path, config: BertConfig) -> None:
    """A tokenizer that spells words letter by letter, and mean pooling: sentence-transformers'."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {word: i for i, word in enumerate(_WORDS)}
    tokenizer: Any = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=around
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": TEXT_LIMIT}
    _write_json(folder / "tokenizer_config.json", settings | dict(zip(named, _SPECIAL)))
    limits = {"max_seq_length": config.max_sequence_length, "do_lower_case": False}
    _write_json(folder / "sentence_bert_config.json", limits)
    _write_json(folder / "modules.json", list(_modules(("", "1_Pooling", "2_Normalize"))))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": config.hidden_dim, "pooling_mode_mean_tokens": True}
    _write_json(folder / "1_Pooling" / "config.json", pooling)


def _modules(paths: Iterable[str]) -> Iterable[dict[str, Any]]:
    for i, path in enumerate(paths):
        kind = path.rpartition("_")[2] or "Transformer"
        kind = f"sentence_transformers.models.{kind}"
        yield {"idx": i, "name": str(i), "path": path, "type": kind}


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
