"""transformers in the matrix of formats: ``python -m live.formats_torch torch WORK SEED``.

Leaves every file of its rows in WORK, whoever writes it, and what transformers or
sentence-transformers has of it.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from live import formats_npbert as ours
from live.drawn import Built
from live.formats import NPBERT, SENTENCES, TRANSFORMERS, Format, Write, leave, rows, run

from golden.cases import Arrays

TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcde", *(f"##{c}" for c in "abcde"))
TEXTS = ("Bad cab", "a", "", "ace, d", "zoo b")


def main(work: Path, seed: int) -> None:
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for row in FORMATS:
        model = run(work, row, seed)
        config = transformers.AutoConfig.from_pretrained(row.path(work))
        assert str(config.dtype) == f"torch.{row.dtype}", f"{row.name}: {config.dtype}"
        leave(work, row, weights_of(model), outputs_of(model, row.drawn(seed).inputs))


def weights_of(model: Any) -> Arrays:
    """Of an encoder, or of that in a `SentenceTransformer`."""
    encoder = model[0].auto_model if hasattr(model, "encode") else model
    return {key: np.float32(tensor) for key, tensor in encoder.state_dict().items()}


def outputs_of(model: Any, inputs: Arrays) -> Arrays:
    """What an encoder computes of the inputs, or a `SentenceTransformer` of the texts."""
    from golden import hugging_face

    if hasattr(model, "encode"):
        vectors = model.encode(TEXTS)
        return {"vectors": vectors, "exact.vectors": model.double().encode(TEXTS)}
    return hugging_face.run(model, {f"inputs.{name}": array for name, array in inputs.items()})


# -- writing ---------------------------------------------------------------------------------------


def save_pretrained(
    path: Path, built: Built, dtype: str, kind: str = "BertModel", shards: bool = False
) -> None:
    """A model of this class that holds the drawn weights; one with a head calls it ``bert``."""
    import torch
    import transformers

    from golden import hugging_face

    fields = built.case.config
    whole = getattr(transformers, kind)(hugging_face.make_config(fields, fields["dropout"]))
    model = getattr(whole, "bert", whole)
    state = hugging_face.state_of(built.weights, fields["num_layers"])
    wanted = model.state_dict().keys()
    model.load_state_dict({k: t for k, t in state.items() if k in wanted}, strict=True)
    whole.to(getattr(torch, dtype))
    largest = max(tensor.nbytes for tensor in whole.state_dict().values())
    whole.save_pretrained(path, max_shard_size=largest if shards else "50GB")


def older_names(path: Path, built: Built, dtype: str) -> None:
    """Layer norms as in files that came from TensorFlow: gamma and beta."""
    from safetensors.numpy import load_file, save_file

    save_pretrained(path, built, dtype)
    stored = load_file(path / "model.safetensors")
    new = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for each, old in new.items():
        stored = {name.replace(each, old): array for name, array in stored.items()}
    save_file(stored, path / "model.safetensors", metadata={"format": "pt"})


def sentences(path: Path, built: Built, dtype: str, mode: str = "mean", norm: bool = True) -> None:
    """A directory of sentence-transformers: encoder, tokenizer, pooling."""
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    inner, fields = path.with_name(path.name + ", the encoder"), built.case.config
    save_pretrained(inner, built, dtype)
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    transformers.BertTokenizer(vocab=vocabulary).save_pretrained(inner)
    encoder = modules.Transformer(str(inner), max_seq_length=fields["max_sequence_length"])
    parts = [encoder, modules.Pooling(fields["hidden_dim"], mode), *[modules.Normalize()] * norm]
    SentenceTransformer(modules=parts, device="cpu").save(str(path))


def converted(path: Path, built: Built, dtype: str) -> None:
    source = path.with_name(path.name + ", the source")
    sentences(source, built, dtype)
    ours.converted(path, source, dtype)


# -- reading ---------------------------------------------------------------------------------------


def from_pretrained(path: Path, _: Built) -> Any:
    """In float32, with the pooler if there is one; only heads are left in the file."""
    import torch
    import transformers

    load = partial(
        transformers.BertModel.from_pretrained,
        path,
        dtype=torch.float32,
        attn_implementation="eager",
        output_loading_info=True,
    )
    model, report = load()
    if report["missing_keys"]:
        model, report = load(add_pooling_layer=False)
    left = [k for k in report["unexpected_keys"] if k.startswith(("bert.", "encoder.", "pooler."))]
    assert [*left, *report["missing_keys"], *report["mismatched_keys"]] == []
    return model.eval()


def with_a_head(path: Path, _: Built) -> Any:
    import transformers

    kind = transformers.BertForSequenceClassification
    return kind.from_pretrained(path, num_labels=3, attn_implementation="eager").bert.eval()


def sentence_transformer(path: Path, _: Built) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(path), device="cpu", model_kwargs={"dtype": torch.float32})


# -- rows ------------------------------------------------------------------------------------------

theirs = partial(rows, TRANSFORMERS, NPBERT)
npbert = partial(rows, NPBERT, TRANSFORMERS)
sentence = partial(rows, SENTENCES, NPBERT)

WIDTHS = "float32 float16 bfloat16"
TANH = {"activation": "gelu_approximate"}
SHARDS = partial(save_pretrained, shards=True)
FIRST_TOKEN = partial(sentences, mode="cls", norm=False)
MAXIMUM = partial(sentences, mode="max")


def head(kind: str, dtype: str, pooler: bool, save: Write = save_pretrained) -> list[Format]:
    about = f"Bert{kind} in shards" if save is SHARDS else f"Bert{kind}"
    write = partial(save, kind=f"Bert{kind}")
    return theirs(about, dtype, write, from_pretrained, pooler=pooler)


FORMATS = [
    *theirs("BertModel", f"{WIDTHS} float64", save_pretrained, from_pretrained),
    *theirs("BertModel, tanh GELU", "float32", save_pretrained, from_pretrained, changes=TANH),
    *theirs("BertModel, gamma and beta", "float32", older_names, from_pretrained),
    *theirs("BertModel in shards", WIDTHS, SHARDS, from_pretrained),
    *head("ForSequenceClassification", "bfloat16", True, SHARDS),
    *head("ForPreTraining", "float32", True),
    *head("ForNextSentencePrediction", "float16", True),
    *head("ForSequenceClassification", "float32", True),
    *head("ForMultipleChoice", "float32", True),
    *head("ForMaskedLM", "float32", False),
    *head("ForTokenClassification", "float32", False),
    *head("ForQuestionAnswering", "float16", False),
    *sentence("mean, normalised", WIDTHS, sentences, sentence_transformer),
    *sentence("first token", "float32", FIRST_TOKEN, sentence_transformer),
    *sentence("maximum, normalised", "float32", MAXIMUM, sentence_transformer),
    *npbert("model.safetensors", WIDTHS, ours.transformers, from_pretrained),
    *npbert("model.safetensors", "float64", ours.transformers_in, from_pretrained),
    *npbert("tanh GELU", "float32", ours.transformers, from_pretrained, changes=TANH),
    *npbert("no pooler", "float32", ours.without_pooler, from_pretrained, pooler=False),
    *npbert("for a head", "float32", ours.transformers, with_a_head),
    *rows(NPBERT, SENTENCES, "mean, normalised", WIDTHS, converted, sentence_transformer),
]

if __name__ == "__main__":
    main(Path(sys.argv[2]), int(sys.argv[3]))
