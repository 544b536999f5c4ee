"""Run the real transformers BertModel, record its stages through module hooks, and write fixtures.

Attention is the "eager" implementation, which returns its probabilities; the embeddings are summed
in Hugging Face's order, (token + segment) + position.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from golden import minilm
from golden.bundles import write_part
from golden.cases import Arrays, Case, build
from golden.fixtures import HUGGING_FACE, hugging_face_cases

WIDTHS = {"hf32": torch.float32, "hf64": torch.float64}

ACTIVATIONS = {"gelu": "gelu", "gelu_approximate": "gelu_pytorch_tanh"}


def run_all(work: Path) -> None:
    """Leave this side's part of every bundle, and write its model directories."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for case in hugging_face_cases():
        for source in WIDTHS:
            write_part(work, case.name, source, run_case(case, source))
    for case in HUGGING_FACE:
        folder = work / "out" / "presets" / case.name
        write_directory(folder, case)
        for source in WIDTHS:
            write_part(work, case.name, source, run_directory(folder, case, source))
    write_part(work, minilm.NAME, "tokens", tokenize_minilm())
    for source in WIDTHS:
        write_part(work, minilm.NAME, source, run_minilm(work, source))


def make_config(config: dict[str, Any], dropout: float) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=config["vocabulary_size"],
        num_hidden_layers=config["num_layers"],
        num_attention_heads=config["num_heads"],
        hidden_size=config["hidden_dim"],
        intermediate_size=config["intermediate_dim"],
        max_position_embeddings=config["max_sequence_length"],
        type_vocab_size=config["num_segments"],
        hidden_act=ACTIVATIONS[config["activation"]],
        layer_norm_eps=config["layer_norm_epsilon"],
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        attn_implementation="eager",
    )


def state_of(weights: Arrays, num_layers: int) -> dict[str, torch.Tensor]:
    """Canonical arrays under transformers' names: kernels flattened to two axes and transposed."""
    state: Arrays = {}

    def norm(hf: str, ours: str) -> None:
        state[f"{hf}.weight"] = weights[f"{ours}/gamma"]
        state[f"{hf}.bias"] = weights[f"{ours}/beta"]

    def dense(hf: str, ours: str) -> None:
        bias = weights[f"{ours}/bias"].reshape(-1)
        state[f"{hf}.weight"] = weights[f"{ours}/kernel"].reshape(-1, bias.size).T
        state[f"{hf}.bias"] = bias

    for hf, ours in (("word", "token"), ("position", "position"), ("token_type", "segment")):
        state[f"embeddings.{hf}_embeddings.weight"] = weights[f"{ours}_embedding/embeddings"]
    norm("embeddings.LayerNorm", "embeddings_layer_norm")
    for i in range(num_layers):
        hf, ours = f"encoder.layer.{i}", f"transformer_layer_{i}"
        for name in ("query", "key", "value"):
            dense(f"{hf}.attention.self.{name}", f"{ours}/self_attention_layer/{name}")
        dense(f"{hf}.attention.output.dense", f"{ours}/self_attention_layer/attention_output")
        norm(f"{hf}.attention.output.LayerNorm", f"{ours}/self_attention_layer_norm")
        dense(f"{hf}.intermediate.dense", f"{ours}/feedforward_intermediate_dense")
        dense(f"{hf}.output.dense", f"{ours}/feedforward_output_dense")
        norm(f"{hf}.output.LayerNorm", f"{ours}/feedforward_layer_norm")
    dense("pooler.dense", "pooled_dense")
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


def make_model(case: Case, weights: Arrays) -> Any:
    """A BertModel that holds these weights, all of them and nothing else."""
    model = transformers.BertModel(make_config(case.config, case.config["dropout"]))
    model.load_state_dict(state_of(weights, case.config["num_layers"]), strict=True)
    return model.eval()


def run_case(case: Case, source: str) -> Arrays:
    """The stages of the case's batch, under bundle keys."""
    arrays, weights = build(case)
    model = make_model(case, weights).to(WIDTHS[source])
    stages: Arrays = {}
    attach(model, stages, case.config["num_heads"])
    stages |= run(model, arrays)
    # BERT's positions are looked up once for all rows, (1, T, D).
    shape = stages["embeddings.token"].shape
    stages["embeddings.position"] = np.broadcast_to(stages["embeddings.position"], shape)
    return {f"{source}.{k}": a for k, a in stages.items()}


def attach(model: Any, stages: Arrays, num_heads: int) -> None:
    """Hook every module that shows a stage."""

    def keep(stage: str) -> Callable[[Any], None]:
        return lambda value: stages.__setitem__(stage, to_numpy(value))

    def keep_heads(stage: str) -> Callable[[Any], None]:  # (B, T, D) -> (B, T, N, H)
        return lambda value: stages.__setitem__(
            stage, to_numpy(value.unflatten(-1, (num_heads, -1)))
        )

    embeddings = model.embeddings
    hook(embeddings.word_embeddings, returned=keep("embeddings.token"))
    hook(embeddings.position_embeddings, returned=keep("embeddings.position"))
    hook(embeddings.token_type_embeddings, returned=keep("embeddings.segment"))
    hook(embeddings.LayerNorm, keep("embeddings.sum"), keep("embeddings.layer_norm"))
    for i, layer in enumerate(model.encoder.layer):
        at, attention = f"layer.{i}", layer.attention
        for name in ("query", "key", "value"):
            hook(getattr(attention.self, name), returned=keep_heads(f"{at}.{name}"))
        probs = keep(f"{at}.probs")
        hook(attention.self, returned=lambda pair, probs=probs: probs(pair[1]))
        output = attention.output
        hook(output.dense, keep_heads(f"{at}.context"), keep(f"{at}.attention_output"))
        residual, norm = keep(f"{at}.attention_residual"), keep(f"{at}.attention_layer_norm")
        hook(output.LayerNorm, residual, norm)
        activation = layer.intermediate.intermediate_act_fn
        hook(activation, keep(f"{at}.intermediate"), keep(f"{at}.activation"))
        hook(layer.output.dense, returned=keep(f"{at}.output"))
        residual, norm = keep(f"{at}.output_residual"), keep(f"{at}.output_layer_norm")
        hook(layer.output.LayerNorm, residual, norm)


def hook(
    module: Any,
    received: Callable[[Any], None] | None = None,
    returned: Callable[[Any], None] | None = None,
) -> None:
    def after(_module: Any, inputs: Any, output: Any) -> None:
        if received:
            received(inputs[0])
        if returned:
            returned(output)

    module.register_forward_hook(after)


@torch.no_grad()
def run(model: Any, arrays: Arrays) -> Arrays:
    """``sequence_output``, and ``pooled_output`` where the model has a pooler."""
    result = model(
        input_ids=torch.tensor(arrays["inputs.token_ids"]).long(),
        token_type_ids=torch.tensor(arrays["inputs.segment_ids"]).long(),
        attention_mask=torch.tensor(arrays["inputs.padding_mask"]).long(),
    )
    outputs = {"sequence_output": to_numpy(result.last_hidden_state)}
    if result.pooler_output is not None:
        outputs["pooled_output"] = to_numpy(result.pooler_output)
    return outputs


def write_directory(folder: Path, case: Case) -> None:
    """``save_pretrained``; the prefixed one from BertForMaskedLM, its head from a fixed seed."""
    _, weights = build(case)
    model = make_model(case, weights)
    if case.name == "hf_tiny_prefixed":
        torch.manual_seed(case.seed)
        whole = transformers.BertForMaskedLM(model.config)
        state = {k: v for k, v in model.state_dict().items() if not k.startswith("pooler.")}
        whole.bert.load_state_dict(state, strict=True)
        model = whole
    model.save_pretrained(folder)


def run_directory(folder: Path, case: Case, source: str) -> Arrays:
    """Load the directory again and run it."""
    arrays, _ = build(case)
    pooler = case.name != "hf_tiny_prefixed"
    model = transformers.BertModel.from_pretrained(
        folder, dtype=WIDTHS[source], add_pooling_layer=pooler
    )
    return {f"{source}.{k}": a for k, a in run(model.eval(), arrays).items()}


def tokenize_minilm() -> Arrays:
    """Token ids of the 24 texts, padded to the limit, and each text's length before the cut."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm.model_dir())
    limit = minilm.MAX_TOKENS
    encoded = tokenizer(list(minilm.TEXTS), truncation=True, max_length=limit, padding="max_length")
    lengths = [len(ids) for ids in tokenizer(list(minilm.TEXTS), truncation=False).input_ids]
    assert lengths[minilm.EXACTLY_AT_LIMIT] == limit
    assert lengths[minilm.JUST_OVER_LIMIT] == limit + 1
    mask = np.array(encoded["attention_mask"], np.int32)
    return {
        "inputs.token_ids": np.array(encoded["input_ids"], np.int32),
        "inputs.segment_ids": np.array(encoded["token_type_ids"], np.int32),
        "inputs.padding_mask": mask,
        "inputs.full_length": np.array(lengths, np.int32),
        "inputs.hidden_rows": minilm.hidden_rows(mask),
    }


@torch.no_grad()
def run_minilm(work: Path, source: str) -> Arrays:
    """The 24 texts as sentence-transformers computes them: mean over kept tokens, then L2 norm.

    Source of the two steps: sentence_transformers/models/Pooling.py (pooling_mode_mean_tokens) and
    Normalize.py.
    """
    arrays = minilm.read_tokens(work)
    model = transformers.AutoModel.from_pretrained(minilm.model_dir(), dtype=WIDTHS[source])
    hidden = torch.from_numpy(run(model.eval(), arrays)["sequence_output"])
    mask = torch.tensor(arrays["inputs.padding_mask"]).unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * mask).sum(1) / torch.clamp(mask.sum(1), min=1e-9)
    vectors = torch.nn.functional.normalize(mean, p=2, dim=1)
    return minilm.outputs(source, arrays, to_numpy(hidden), to_numpy(vectors))


def to_numpy(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    return tensor.detach().numpy().copy()
