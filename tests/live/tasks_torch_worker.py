"""transformers' and sentence-transformers' heads: ``python -m live.tasks_torch_worker torch WORK
SEED``. Makes random models, saves them in WORK, and leaves there what they give.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from live.peers import load, save
from live.tasks_shared import CLASSES, DOCUMENTS, MASKED, PAIRS, PROBLEMS, QUERY, TEXTS
from sentence_transformers import CrossEncoder
from text.tiny_model import VOCABULARY


def main(work: Path, seed: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    inputs = load(work, "inputs")
    for problem in PROBLEMS:
        classify(work, problem)
    leave_logits(work, "hf_classifier", classifier(CLASSES), inputs)
    leave_logits(work, "hf_masked_lm", masked_lm(), inputs)
    leave_logits(work, "hf_masked_lm_tanh", masked_lm(hidden_act="gelu_new"), inputs)
    leave_logits(work, "hf_untied", masked_lm(tie_word_embeddings=False), inputs)
    leave_logits(work, "hf_pretraining", masked_lm(transformers.BertForPreTraining), inputs)
    fill(work, "hf_masked_lm")
    rerank(work, "reranker", None)
    rerank(work, "reranker_identity", torch.nn.Identity())
    rerank(work, "reranker_three", None, classes=3)


def make(kind: Any, **settings: Any) -> Any:
    """A model with weights of order 1, and its tokenizer's vocabulary."""
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        num_hidden_layers=2,
        num_attention_heads=3,
        hidden_size=24,
        intermediate_size=31,
        max_position_embeddings=21,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
        **settings,
    )
    model = kind(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm.weight" not in name:
                parameter.normal_(std=0.3)
    return model


def classifier(classes: int, **settings: Any) -> Any:
    return make(transformers.BertForSequenceClassification, num_labels=classes, **settings)


def masked_lm(kind: Any = transformers.BertForMaskedLM, **settings: Any) -> Any:
    return make(kind, **settings)


def save_model(directory: Path, model: Any) -> None:
    model.save_pretrained(directory)
    vocabulary = directory / "vocab.txt"
    vocabulary.write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    transformers.BertTokenizer(str(vocabulary), model_max_length=19).save_pretrained(directory)


@torch.no_grad()
def leave_logits(work: Path, name: str, model: Any, inputs: dict[str, np.ndarray]) -> None:
    save_model(work / name, model)
    out = model(
        input_ids=torch.tensor(inputs["token_ids"]).long(),
        token_type_ids=torch.tensor(inputs["segment_ids"]).long(),
        attention_mask=torch.tensor(inputs["padding_mask"]).long(),
    )
    logits = (out.prediction_logits if "prediction_logits" in out else out.logits).numpy()
    if logits.ndim == 3:
        logits = np.take_along_axis(logits, inputs["mask_positions"][:, :, None], axis=1)
    save(work, f"{name}@torch", {"ids": logits})


def classify(work: Path, problem: str) -> None:
    """The pipeline; it cuts texts only when it is told to."""
    labels = {i: f"class {i}" for i in range(CLASSES)}
    save_model(work / problem, classifier(CLASSES, problem_type=problem, id2label=labels))
    pipeline = transformers.pipeline("text-classification", model=str(work / problem))
    leave(work, problem, pipeline(TEXTS, top_k=None, truncation=True, max_length=19))


def fill(work: Path, name: str) -> None:
    pipeline = transformers.pipeline("fill-mask", model=str(work / name))
    leave(work, name, [pipeline(text, top_k=7) for text in MASKED])


def rerank(work: Path, name: str, activation: Any, classes: int = 1) -> None:
    save_model(work / f"{name}_plain", classifier(classes))
    model = CrossEncoder(str(work / f"{name}_plain"), activation_fn=activation)
    model.save_pretrained(str(work / name))
    save(work, f"{name}@torch", {"pairs": model.predict(PAIRS)})
    if classes == 1:
        leave(work, name, model.rank(QUERY, DOCUMENTS, top_k=3, return_documents=True))


def leave(work: Path, name: str, value: Any) -> None:
    (work / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[2]), int(sys.argv[3]))
