from __future__ import annotations

import numpy as np

import npbert
from npbert.teaching.verdict import WIDTH, Verdict, short


def test_it_is_true_or_false():
    assert Verdict("gelu", True, "Your gelu is right.")
    assert not Verdict("gelu", False, "Your gelu is ReLU.")


def test_as_lines():
    verdict = npbert.check("pooler", lambda x, kernel, bias: x[:, 0] @ kernel + bias)
    assert repr(verdict).splitlines() == [
        "Your pooler has no activation, where tanh is expected.",
        "  to mend it:      apply tanh after the pooler's dense layer",
        f"  where:           {verdict.where}",
        "  sequence_output: [[[1.0, 2.0], [5.0, 5.0]]]",
        "  kernel:          [[0.5, 1.0], [0.0, 0.5]]",
        "  bias:            [0.0, 1.0]",
        "  expected:        [[0.4621, 0.9951]]",
        "  yours:           [[0.5, 3.0]]",
        "  read:            npbert/ops/pooler.py",
    ]


def test_in_a_notebook():
    text = npbert.check("cosine", lambda a, b: a @ b.T)._repr_markdown_()
    assert text.startswith("**Not yet.** Your cosine is the dot product")
    assert "- **expected** `[[" in text
    right = npbert.check("split_heads", lambda x, n: x.reshape(*x.shape[:2], n, -1))
    assert right._repr_markdown_().startswith("**Right.** Your split_heads is right")


def test_values_are_short():
    assert short(np.array([1 / 3, 1e-9, np.nan])) == "[0.3333, 1e-09, NaN]"
    assert short({"b", "a"}) == "{'a', 'b'}"
    assert short(("x", 1)) == "('x', 1)"
    assert len(short(np.ones((40, 40)))) <= WIDTH
