"""PyTorch, transformers and ONNX Runtime: ``python -m live.torch_worker torch WORK SEED``.

Leaves in WORK: token ids, sentence vectors and hidden states of the texts; and for every drawn
case the directory that ``save_pretrained`` wrote and what transformers computes from it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import transformers
from live import drawn, minilm
from live.peers import load, save
from numpy.typing import NDArray

from golden import hugging_face
from golden.cases import Arrays
from npbert.bench.engines import convert

WIDTHS = {"float32": torch.float32, "float64": torch.float64}

# By case: hidden_act in the file, and what kind of model is saved.
KINDS = (
    ("gelu", "BertModel"),
    ("gelu_new", "BertModel"),
    ("gelu", "BertForMaskedLM"),
    ("gelu_pytorch_tanh", "no pooler"),
)


def main(name: str, work: Path, seed: int) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for case, kind in zip(drawn.hugging_face_cases(seed), KINDS, strict=True):
        built = drawn.build(case)
        write_directory(work / case.name, built, *kind)
        save(work, f"{case.name}@{name}", run_directory(work / case.name, built, kind[1]))
    texts = [*minilm.TEXTS, *minilm.random_texts(seed)]
    save(work, f"tokens@{name}", minilm.padded(token_ids(texts)))
    save(work, f"minilm@{name}", run_minilm(work))


def write_directory(folder: Path, built: drawn.Built, activation: str, kind: str) -> None:
    """``save_pretrained`` of a model that holds the case's weights."""
    fields = built.case.config
    config = hugging_face.make_config(fields, fields["dropout"])
    config.hidden_act = activation
    state = hugging_face.state_of(built.weights, fields["num_layers"])
    whole = model = transformers.BertModel(config, add_pooling_layer=kind == "BertModel")
    if kind == "BertForMaskedLM":
        whole = transformers.BertForMaskedLM(config)
        model = whole.bert
    if kind != "BertModel":
        state = {name: tensor for name, tensor in state.items() if "pooler" not in name}
    model.load_state_dict(state, strict=True)
    whole.save_pretrained(folder)


def run_directory(folder: Path, built: drawn.Built, kind: str) -> Arrays:
    """The outputs of the directory, loaded again, in both widths."""
    found: Arrays = {}
    inputs = {f"inputs.{name}": array for name, array in built.inputs.items()}
    for name, width in WIDTHS.items():
        model = transformers.BertModel.from_pretrained(
            folder,
            dtype=width,
            add_pooling_layer=kind == "BertModel",
            attn_implementation="eager",
        )
        outputs = hugging_face.run(model.eval(), inputs)
        found |= {f"{name}.{output}": array for output, array in outputs.items()}
    return found


def token_ids(texts: list[str]) -> list[NDArray[np.int32]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm.model_dir())
    encoded = tokenizer(texts, truncation=True, max_length=minilm.MAX_TOKENS)
    return [np.array(ids, np.int32) for ids in encoded.input_ids]


def run_minilm(work: Path) -> Arrays:
    """Hidden states by PyTorch in both widths and by ONNX Runtime; vectors as mean, then L2."""
    inputs = load(work, "minilm@inputs")
    named = {f"inputs.{name}": array for name, array in inputs.items()}
    found: Arrays = {}
    for name, width in WIDTHS.items():
        model = transformers.AutoModel.from_pretrained(
            minilm.model_dir(), dtype=width, attn_implementation="eager"
        ).eval()
        hidden = hugging_face.run(model, named)["sequence_output"]
        found |= {f"{name}.hidden": hidden, f"{name}.vectors": vectors(hidden, inputs)}
    convert.export(minilm.model_dir(), work / "minilm.onnx")
    return found | {"onnx.hidden": run_onnx(work / "minilm.onnx", inputs)}


def run_onnx(path: Path, inputs: Arrays) -> NDArray[np.float32]:
    """The last hidden state, (B, T, D), with ONNX Runtime's default settings."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ours = ("token_ids", "padding_mask", "segment_ids")
    fed = {name: inputs[each] for name, each in zip(convert.INPUTS, ours, strict=True)}
    return session.run(None, {name: array.astype(np.int64) for name, array in fed.items()})[0]


def vectors(hidden: NDArray[Any], inputs: Arrays) -> NDArray[Any]:
    """As in sentence_transformers/models/Pooling.py (pooling_mode_mean_tokens) and Normalize.py."""
    states = torch.from_numpy(hidden)  # (B, T, D)
    mask = torch.tensor(inputs["padding_mask"]).unsqueeze(-1).to(states.dtype)  # (B, T, 1)
    mean = (states * mask).sum(1) / torch.clamp(mask.sum(1), min=1e-9)
    return torch.nn.functional.normalize(mean, p=2, dim=1).numpy()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
