"""An exported graph read by its names."""

from __future__ import annotations

import pytest

from npbert.parity.sources.onnx_graph import Graph, Node, Parameter, module_path

AT = "encoder.layer.0"


def node(op, path, inputs, output, transposed=False):
    return Node(op, path, tuple(inputs.split()), (output,), transposed)


LAYER = [
    node("Gather", "embeddings.word_embeddings", "table ids", "word"),
    node("LayerNormalization", "embeddings.LayerNorm", "sum gamma beta", "x"),
    node("MatMul", f"{AT}.attention.self.query", "x wq", "xq"),
    node("Add", f"{AT}.attention.self.query", "bq xq", "q"),
    node("MatMul", f"{AT}.attention.self", "q k", "qk"),
    node("Constant", f"{AT}.attention.self", "", "root"),
    node("Div", f"{AT}.attention.self", "qk root", "scaled"),
    node("Add", f"{AT}.attention.self", "mask scaled", "masked"),
    node("Softmax", f"{AT}.attention.self", "masked", "probs"),
    node("Transpose", "", "wo", "wo_turned"),
    node("Identity", "", "bq", "bo"),
    node("MatMul", f"{AT}.attention.output.dense", "context wo_turned", "joined"),
    node("Add", f"{AT}.attention.output.dense", "joined bo", "attended"),
    node("Constant", f"{AT}.output.LayerNorm", "", "two"),
    node("ReduceMean", f"{AT}.output.LayerNorm", "residual", "mean"),
    node("Mul", f"{AT}.output.LayerNorm", "normal gamma", "times"),
    node("Add", f"{AT}.output.LayerNorm", "times beta", "y"),
    node("Gemm", "pooler.dense", "first wp bp", "dense", transposed=True),
    node("Tanh", "pooler.activation", "dense", "pooled"),
]


def test_stages():
    assert Graph(LAYER).stages() == {
        "embeddings.token": "word",
        "embeddings.sum": "sum",
        "embeddings.layer_norm": "x",
        "layer.0.query": "q",
        "layer.0.context": "context",
        "layer.0.attention_output": "attended",
        "layer.0.output_residual": "residual",
        "layer.0.output_layer_norm": "y",
        "layer.0.probs": "probs",
        "layer.0.scores": "scaled",
        "pooled_output": "pooled",
    }


def test_parameters():
    stored = dict.fromkeys(("table", "gamma", "beta", "wq", "bq", "wo", "wp", "bp"))
    assert Graph(LAYER).parameters(stored) == {
        "embeddings.word_embeddings.weight": Parameter("table", False),
        "embeddings.LayerNorm.weight": Parameter("gamma", False),
        "embeddings.LayerNorm.bias": Parameter("beta", False),
        f"{AT}.attention.self.query.weight": Parameter("wq", False),
        f"{AT}.attention.self.query.bias": Parameter("bq", False),
        f"{AT}.attention.output.dense.weight": Parameter("wo", True),
        f"{AT}.attention.output.dense.bias": Parameter("bq", False),
        f"{AT}.output.LayerNorm.weight": Parameter("gamma", False),
        f"{AT}.output.LayerNorm.bias": Parameter("beta", False),
        "pooler.dense.weight": Parameter("wp", True),
        "pooler.dense.bias": Parameter("bp", False),
    }


def test_what_is_fused_is_absent():
    fused = [
        node("EmbedLayerNormalization", "embeddings.LayerNorm", "ids table", "x"),
        node("MatMul", f"{AT}.intermediate.dense", "y w", "no bias"),
        node("SkipLayerNormalization", f"{AT}.output.LayerNorm", "a b gamma", "z"),
        node("Attention", f"{AT}.attention.self", "x", "context"),
    ]
    assert Graph(fused).stages() == {}


def test_scores_without_a_mask_and_with_none_that_is_known():
    at = f"{AT}.attention.self"
    product, softmax = node("MatMul", at, "q k", "qk"), node("Softmax", at, "qk", "probs")
    assert Graph([product, softmax]).stages() == {"layer.0.probs": "probs", "layer.0.scores": "qk"}
    where = node("Where", at, "mask low qk", "masked")
    masked = node("Softmax", at, "masked", "probs")
    assert Graph([product, where, masked]).stages() == {"layer.0.probs": "probs"}
    assert Graph([product, softmax, masked]).stages() == {}


def test_probabilities_are_what_the_values_are_multiplied_by():
    at = f"{AT}.attention.self"
    nodes = [
        node("Softmax", at, "masked", "probs"),
        node("Shape", at, "probs", "shape"),
        node("IsNaN", at, "probs", "nan"),
        node("Where", at, "nan zero probs", "kept"),
    ]
    assert Graph(nodes).stages() == {"layer.0.probs": "probs"}
    nodes.append(node("MatMul", at, "kept v", "context"))
    assert Graph(nodes).stages() == {"layer.0.probs": "kept"}


@pytest.mark.parametrize(
    ("name", "output", "scopes", "path"),
    [
        ("/encoder/layer.1/output/dense/MatMul", "", None, "encoder.layer.1.output.dense"),
        ("/0/auto_model/embeddings/LayerNorm/Add", "", None, "embeddings.LayerNorm"),
        ("Add_12", "/bert/pooler/dense/Gemm_output_0", None, "pooler.dense"),
        ("node_linear", "linear", "['', 'model', 'model.pooler.dense', 'linear']", "pooler.dense"),
        ("/encoder/x", "", "['', 'bert.encoder', 'add']", ""),
        ("node_add", "add", "['add']", ""),
        ("node_add", "add", "__import__('os')", ""),
        ("/model/Cast", "/model/Cast_output_0", None, ""),
        ("MatMul_3", "1607", None, ""),
    ],
)
def test_where_a_node_belongs(name, output, scopes, path):
    assert module_path(name, output, scopes) == path
