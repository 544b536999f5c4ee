# %% [markdown]
# # 00 · The map
#
# This is a course in eight notebooks. At its end you know what every number in BERT means, how it
# is computed, and how one knows that it is right. You need Python and some NumPy, and nothing of
# transformers.
#
# One sentence goes all the way: *the river bank*. In this notebook it makes the whole trip at
# once. The others stop at each station.
#
# *npbert* is BERT in plain NumPy, and again in compiled kernels; its files are what you learn to
# read. *Keras Hub* is the library whose BERT it has to equal, and what Keras Hub computed is kept
# in `golden/`, so that every notebook can compare.
#
# Three ideas:
#
# 1. **BERT is a chain of arrays.** Each step takes an array and returns an array. There are fewer
#    than ten kinds of steps.
# 2. **Letters name dimensions.** (B, T, D) is a batch of B texts, T tokens each, D numbers for
#    each token. The letters are the same everywhere.
# 3. **A layer is repeated.** All layers do the same, each with weights of its own: the numbers that
#    training has found.

# %%
import json
from pathlib import Path

import numpy as np
from IPython.display import Markdown

import npbert
from npbert import reference, teaching, viz
from npbert.bench.kernels import profile
from npbert.parity import assert_close
from npbert.parity.bundle import load_bundle

SENTENCE = "the river bank"
GOLDEN = Path("../golden")

# %% [markdown]
# ## 1. What it is for
#
# BERT was trained to guess hidden words. To do so it must know what goes with what. The toy BERT
# of this course learned a language of 59 tokens, in which animals are by the river and money is in
# the bank:

# %%
toy = teaching.toy()
for text in ("she put money in the [MASK].", "the dogs [MASK] by the river.", "the river [MASK]"):
    guesses = toy.fill_mask(text)[:3]
    print(f"{text:32}", ", ".join(f"{each['token_str']} {each['score']:.2f}" for each in guesses))

# %% [markdown]
# To guess words, BERT makes a vector for each token, one that knows the token's neighbours. A good
# vector for a whole text takes further training (Reimers and Gurevych 2019, table 1).
# all-MiniLM-L6-v2, a larger BERT, had it. Texts with like meanings get like vectors, whatever their
# words. (The cosine says how alike: 1 is the same direction, 0 is unrelated.)

# %%
model = npbert.Embedder("all-MiniLM-L6-v2")
texts = [SENTENCE, "the shore of a stream", "a savings account", "a cat on the sofa"]
vectors = model.encode(texts)
viz.similarity(model.similarity(vectors, vectors), texts, "cosine of the vectors of two texts")

# %% [markdown]
# Our sentence and the shore share no word but "the", and are alike. Yet 0.44 with the savings
# account says that a little money still sticks to "bank".
#
# ## 2. The stations
#
# Seven stations, the shape of the array that each hands on, and the notebook that is about it:
#
# ```text
#                                  ┌──── one layer, L times ─────┐
# text ──► tokens ──► embeddings ──► attention ──► feed-forward ──► pooling ──► vectors compared
#
# str      (B, T)     (B, T, D)      (B, T, D)     (B, T, D)        (B, D)      (B, B)
#
# 01       01         02             03            04               05          05
# ```
#
# The letters, once for the whole course (and for all of npbert, in `npbert/shapes.py`):

# %%
LETTERS = """
D | numbers for each token              | hidden_dim
N | heads of attention                  | num_heads
H | numbers for each token in a head    | head_dim
F | numbers inside feed-forward         | intermediate_dim
V | tokens in the vocabulary            | vocabulary_size
P | longest text, in tokens             | max_sequence_length
S | texts that one row can have         | num_segments
L | layers                              | num_layers
"""
lines = ["| letter | means | in the code | toy | all-MiniLM-L6-v2 |", "|:--|:--|:--|--:|--:|"]
lines.append("| B | texts in a batch | | | |")
lines.append("| T | tokens of a text, padding included | | | |")
for line in LETTERS.strip().splitlines():
    letter, meaning, name = (part.strip() for part in line.split("|"))
    sizes = [getattr(each.backbone.config, name) for each in (toy, model)]
    lines.append(f"| {letter} | {meaning} | `{name}` | {sizes[0]:,} | {sizes[1]:,} |")
Markdown("\n".join(lines))

# %% [markdown]
# ## 3. The trip
#
# `run_with_cache` runs the model and keeps what every step made. The names of the steps are
# *stages*. This is the sentence in the toy, step by step. The file is where you can read the step:
# its NumPy definition first, below it the same as a compiled kernel.

# %%
ids = toy.preprocessor.tokenizer.encode([SENTENCE], 24).ids[0][None]  # (1, 5)
inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 1 + 0 * ids}
outputs, cache = toy.backbone.run_with_cache(inputs)

# Look at the table below first. This text becomes its rows: what a step does, its stage, the
# letters of its shape, the file in npbert/ops, and how the names of its weights begin.
STEPS = """
three rows, added    | embeddings.sum               | B T D   | embedding  | token_ posit segment
to one scale         | embeddings.layer_norm        | B T D   | layer_norm | embeddings_layer_norm
what a token asks    | layer.0.query                | B T N H | dense      | attention_layer/query
what it answers to   | layer.0.key                  | B T N H | dense      | attention_layer/key
what it hands over   | layer.0.value                | B T N H | dense      | attention_layer/value
who looks at whom    | layer.0.probs                | B N T T | softmax    |
what a token gets    | layer.0.context              | B T N H | attention  |
heads joined         | layer.0.attention_output     | B T D   | dense      | attention_layer/a
added, to one scale  | layer.0.attention_layer_norm | B T D   | layer_norm | attention_layer_n
a token alone, wider | layer.0.activation           | B T F   | gelu       | feedforward_inter
and back             | layer.0.output               | B T D   | dense      | feedforward_output
added, to one scale  | layer.0.output_layer_norm    | B T D   | layer_norm | feedforward_layer_norm
the same again       | layer.1.output_layer_norm    | B T D   |            | transformer_layer_1
one vector a text    | pooled_output                | B D     | pooler     | pooled_dense
"""
weights = {
    name.removeprefix("transformer_layer_0/self_").removeprefix("transformer_layer_0/"): w
    for name, w in toy.backbone.weights()
}
lines = ["| step | stage | shape | here | file | weights |", "|:--|:--|:--|:--|:--|--:|"]
total = 0
for line in STEPS.strip().splitlines():
    step, stage, letters, file, begins = (part.strip() for part in line.split("|"))
    own = [w.size for name, w in weights.items() if name.startswith(tuple(begins.split()))]
    total += sum(own)
    shape = f"({letters.replace(' ', ', ')}) | {cache[stage].shape}"
    file = f"`npbert/ops/{file}.py`" if file else ""
    lines.append(f"| {step} | `{stage}` | {shape} | {file} | {sum(own):,} |")
assert total == toy.backbone.count_params()
lines.append(f"| | | | | | **{total:,}** |")
Markdown("\n".join(lines))

# %% [markdown]
# That is all of BERT: rows of tables, `dense`, `softmax`, `gelu`, `layer_norm`, and sums. (`dense`
# is a product with a matrix, plus a row of numbers, the *bias*.) The whole pass stands on one
# screen, in plain NumPy, in `npbert/reference.py`. It is the place to go back to whenever you are
# lost.
#
# **Is it right?** Keras Hub ran the same toy on the same sentence, and recorded what each of its
# layers returned. All stages that it shows must be equal, in both of npbert's forms: the NumPy of
# `reference`, in float64, and the compiled kernels, in float32. Equal means: but for rounding,
# which `assert_close` allows and `07_parity_detective` measures.
#
# In the files, `tf32` is what TensorFlow computed in float32 (not NVIDIA's format of that name),
# and `tf64` the same in float64.

# %%
keras = load_bundle(GOLDEN / "toy")
T = ids.shape[1]
assert keras.arrays["inputs.token_ids"][0, :T].tolist() == ids[0].tolist()

batch = {name: keras.arrays[f"inputs.{name}"] for name in inputs}
exact = {name: w.astype(np.float64) for name, w in toy.backbone.weights()}
plain = {}
reference.forward(
    toy.backbone.config,
    exact,
    **batch,
    seen=plain.__setitem__,
    round_constants=lambda constant: float(np.float32(constant)),  # as TensorFlow's float64 does
)
_, compiled = toy.backbone.run_with_cache(batch)

checked = 0
for stage in compiled:  # in the order of the pass, so that the first that differs is named
    for source, ours in (("tf64", plain), ("tf32", compiled)):
        if (theirs := keras.arrays.get(f"{source}.{stage}")) is not None:
            assert_close(ours[stage], theirs, stage)
            checked += 1
assert checked > 40
print(f"{checked} arrays of Keras Hub, {len(compiled)} stages: equal")

# %% [markdown]
# ## 4. What it costs
#
# First in weights, then in time. A larger BERT is not another BERT: D and F grow, and L.

# %%
PARTS = {
    "tables": "embedding",
    "attention": "self_attention",
    "feed-forward": "feedforward",
    "pooler": "pooled",
}
for name, backbone in (("toy", toy.backbone), ("all-MiniLM-L6-v2", model.backbone)):
    total, shares = backbone.count_params(), []
    for part, word in PARTS.items():
        count = sum(w.size for path, w in backbone.weights() if word in path)
        shares.append(f"{part} {count / total:.0%}")
    print(f"{name:16} {total:10,} weights: {', '.join(shares)}")
assert total == 22_713_216  # all-MiniLM-L6-v2's page at Hugging Face says 22.7M

# %% [markdown]
# Where does the time go? This is all-MiniLM-L6-v2 with a text of 128 tokens, on one thread. Each
# kernel is timed by itself, and all six layers are added up. The last line is a whole pass.

# %% tags=["varies"]
*steps, whole = profile(batch=1, tokens=128, model="all-MiniLM-L6-v2")
total = sum(step.best for step in steps)
for step in steps:
    bar = "█" * round(50 * step.best / total)
    print(f"{step.op:28}{1e6 * step.best:8,.0f} µs  {bar}")
print(f"{whole.op:28}{1e6 * whole.best:8,.0f} µs")

# %% [markdown]
# Nine tenths of it are products of matrices. (GELU is timed alone here; in a pass it is computed
# while the numbers are still in registers.) `06_numpy_to_numba` is about making products fast.
#
# ## Your turn
#
# **Exercise.** How many weights does a BERT have? Write it as a formula of the letters. The table
# of section 3 has what you need: each `dense` has a matrix and a bias (from D to D; wider from D
# to F, and back from F to D), each layer norm has two rows of D, and the pooler has a matrix of D
# × D and a bias.


# %%
def my_count(V, P, S, D, F, L):
    raise NotImplementedError("your turn")


def check_count(count):
    """Say whether a formula gives three counts that are known."""
    base = json.loads((GOLDEN / "lessons.json").read_text())["bert_base"]["parameters"]
    known = {
        "the toy": ((59, 24, 2, 16, 40, 2), toy.backbone.count_params()),
        "all-MiniLM-L6-v2": ((30522, 512, 2, 384, 1536, 6), 22_713_216),
        "BERT-base": ((30522, 512, 2, 768, 3072, 12), base),
    }
    for name, (letters, expected) in known.items():
        if (found := count(*letters)) != expected:
            return f"{name} has {expected:,} weights, and your formula says {found:,}"
    return "right for all three"


try:
    print(check_count(my_count))
except NotImplementedError as error:
    print(error)

# %% [markdown]
# ## Solution
#
# <details><summary>Exercise</summary>
#
# ```python
# def my_count(V, P, S, D, F, L):
#     norm = 2 * D
#     attention = 4 * (D * D + D) + norm  # query, key, value, and the heads joined
#     feed_forward = (D * F + F) + (F * D + D) + norm
#     pooler = D * D + D
#     return (V + P + S) * D + norm + L * (attention + feed_forward) + pooler
#
# assert check_count(my_count) == "right for all three"
# ```
# </details>
#
# ---
# You can now read: `npbert/shapes.py` and `npbert/reference.py`, the whole of BERT on one screen.
# Next: [01 · From text to tokens](01_text_to_tokens.ipynb).
#
# | | |
# |---|---|
# | [01 · From text to tokens](01_text_to_tokens.ipynb) | words, pieces, rows of one length |
# | [02 · From tokens to embeddings](02_tokens_to_embeddings.ipynb) | three tables, and layer norm |
# | [03 · Attention by hand](03_attention_by_hand.ipynb) | who looks at whom |
# | [04 · A layer and a stack](04_a_layer_and_a_stack.ipynb) | heads, feed-forward, residuals |
# | [05 · Vectors](05_vectors.ipynb) | from tokens to one vector, and what it is good for |
# | [06 · From NumPy to Numba](06_numpy_to_numba.ipynb) | the same, fast |
# | [07 · The parity detective](07_parity_detective.ipynb) | how one knows that it is right |
