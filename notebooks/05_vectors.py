# %% [markdown]
# # 05 · Vectors
#
# After the last layer, *the river bank* is five vectors, one for each token. A search engine
# wants one vector for the whole text, and a number that says how alike two texts are.
#
# Three ideas:
#
# 1. **Pooling.** Many token vectors become one: their mean, the first, or the largest of each
#    number.
# 2. **Padding must not count.** In npbert a text's vector is the same to the last bit, whatever
#    stands beside it in the batch.
# 3. **A cosine needs a yardstick.** 0.6 may mean "the same" from one model and "nothing" from
#    another.

# %%
import inspect
import json
import math
import time
from pathlib import Path

import numpy as np

import npbert
from npbert import teaching, viz
from npbert.ops import pooler, pooling
from npbert.parity import assert_close
from npbert.parity.bundle import load_bundle
from npbert.viz.figures import new_figure

np.set_printoptions(precision=4, suppress=True)
GOLDEN = Path("../golden")
recorded = json.loads((GOLDEN / "lessons.json").read_text())  # by PyTorch: golden/lessons.py

# %% [markdown]
# ## 1. Pooling
#
# We go on with what attention gave the three words in `03_attention_by_hand`: three tokens of
# four numbers. The mean, with loops, and in a line; and two other ways to make one of many.

# %%
tokens = np.array(recorded["attention"]["three"])  # the, river, bank
T, D = tokens.shape

mean = [0.0] * D
for t in range(T):
    for d in range(D):
        mean[d] += tokens[t][d] / T

assert_close(mean, tokens.mean(axis=0), "mean")
print("the    ", tokens[0])
print("river  ", tokens[1])
print("bank   ", tokens[2])
print("mean   ", np.array(mean))
print("first  ", tokens[0], "   called cls, for the first token is [CLS] as a rule")
print("largest", tokens.max(axis=0))

# %% [markdown]
# `Embedder` computes no padding. It lays the tokens of all texts below each other, R rows in all,
# and `starts` says where each text begins. So npbert's mean needs no mask:

# %%
print(inspect.getsource(pooling.mean_pool))
print(inspect.getsource(pooling.max_pool))
print(inspect.getsource(pooling.cls_pool))
assert_close(pooling.mean_pool(tokens, np.array([0, 3]))[0], mean, "mean")

# %% [markdown]
# The mean of three vectors is easy to get right. So here is a harder check, with real weights.
# The file `golden/minilm.safetensors` has the vectors of 24 texts by Hugging Face transformers,
# pooled as sentence-transformers does. Four of them, pooled by the loop above from npbert's token
# vectors:

# %%
model = npbert.Embedder("all-MiniLM-L6-v2")
golden = load_bundle(GOLDEN / "minilm")
texts = golden.meta["texts"][:3] + golden.meta["texts"][6:7]
theirs = golden.arrays["hf32.sentence_vectors"][[0, 1, 2, 6]]  # hf32: in float32


def token_vectors(texts):
    """Texts -> all their token vectors (R, D), and where each text begins (B + 1,)"""
    ids = model.tokenizer.encode(texts, model.max_seq_length).ids
    rows, starts = model.backbone.encode_ragged(ids)
    return rows[:, : model.get_embedding_dimension()], starts


rows, starts = token_vectors(texts)
for i, text in enumerate(texts):
    mine = np.zeros(rows.shape[1])
    for row in rows[starts[i] : starts[i + 1]]:
        mine += row / (starts[i + 1] - starts[i])
    mine /= math.sqrt(sum(number * number for number in mine))  # to length 1, as this model does
    assert_close(mine, theirs[i], "sentence_vectors")
    print(f"{text[:45]:45} {mine[:4]} ...")
print("equal to Hugging Face")

# %% [markdown]
# ### The pooler
#
# BERT itself came with a fourth way: the first token's vector goes through one more dense layer
# and a tanh. That layer was trained to say whether one sentence follows another, and is what
# classifiers build on. In the toy BERT it was trained to tell texts about water from texts about
# money. Our sentence as five strips, then its mean, and what the pooler makes of it, which Keras
# recorded too:

# %%
toy = teaching.toy()
keras = load_bundle(GOLDEN / "toy")
T = int(keras.arrays["inputs.padding_mask"][0].sum())  # row 0 is our sentence
names = ("token_ids", "segment_ids", "padding_mask")
inputs = {name: keras.arrays[f"inputs.{name}"][:1, :T] for name in names}
words = [toy.preprocessor.tokenizer.id_to_token(int(i)) for i in inputs["token_ids"][0]]
outputs = toy.backbone(inputs)
sequence = outputs["sequence_output"]

print(inspect.getsource(pooler.pooler))
weights = dict(toy.backbone.weights())
pooled = pooler.pooler(sequence, weights["pooled_dense/kernel"], weights["pooled_dense/bias"])
# tf32: by TensorFlow in float32, not NVIDIA's format
assert_close(pooled, keras.arrays["tf32.pooled_output"][:1], "pooled_output")

strips = np.vstack([sequence[0], sequence[0].mean(axis=0), pooled[0]])
viz.strip(strips, [*words, "mean", "pooler"], title="the river bank, after the last layer")

# %% [markdown]
# ## 2. Padding must not count
#
# An array of several texts is a rectangle: short texts are filled up with `[PAD]`. The model
# computes something for those columns as well. Whoever takes the mean over all columns gets
# another vector for the same text in every batch:

# %%
for width in (T, 8, 16, 24):
    padded = {name: np.pad(array, ((0, 0), (0, width - T))) for name, array in inputs.items()}
    found = toy.backbone(padded)["sequence_output"][0]
    careless, careful = found.mean(axis=0), found[:T].mean(axis=0)
    print(f"{width:3} columns   over all: {careless[:3]}   over kept: {careful[:3]}")
    assert np.array_equal(careful, sequence[0].mean(axis=0))

assert_close(careful, keras.arrays["tf32.sequence_output"][0, :T].mean(axis=0), "mean")

# %% [markdown]
# The right-hand numbers do not move, not even in the last bit: the assertion above is
# `array_equal`. That takes two things. Attention gives padding no share (`03_attention_by_hand`),
# and every sum is computed in one order, whatever else is in the batch. Most engines keep the
# first rule and not the second: their vectors move by 1e-7 or so when a batch is put together
# differently. The README has a table of who keeps what. npbert, with real weights:

# %%
alone = np.vstack([model.encode([text])[0] for text in texts])
together = model.encode([*texts, "word " * 200])[:4]
assert alone.tobytes() == together.tobytes()
assert_close(together, theirs, "sentence_vectors")
print("alone and in a batch: the same", alone.nbytes, "bytes")

# %% [markdown]
# ## 3. How alike are two vectors?
#
# The cosine is the dot product of two vectors after both were brought to length 1. It is 1 for
# the same direction, 0 for a right angle, and -1 for the opposite. Loops, line, npbert:

# %%
a, b = tokens[1], tokens[2]  # river and bank, four numbers each
dot = sum(x * y for x, y in zip(a, b, strict=True))
lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
in_a_line = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
unit = pooling.l2_normalize(np.array([a, b]))
print("river and bank:", round(dot / lengths, 4), in_a_line.round(4), (unit[0] @ unit[1]).round(4))
assert_close([in_a_line, unit[0] @ unit[1]], [dot / lengths] * 2, "cosine")
print(inspect.getsource(pooling.l2_normalize))

# %% [markdown]
# Now sixteen real texts, which are eight pairs: each belongs to the one after it, and the two
# share hardly a word. All cosines (those below 0 are drawn as 0), as npbert computes them,
# against sentence-transformers:

# %%
texts = recorded["pairs"]["texts"]
cosines = model.similarity(model.encode(texts), model.encode(texts))
assert_close(cosines, recorded["pairs"]["sentence_transformers"], "cosine", atol=1e-5)
for first, second in zip(texts[::2], texts[1::2], strict=True):
    print(f"{first:37} {second}")
viz.alt(
    viz.similarity(np.maximum(cosines, 0), [text[:14] for text in texts], title="cosine"),
    "Cosines of sixteen texts. Each pair is a dark block of two by two on the diagonal.",
)

# %% [markdown]
# ### The yardstick
#
# Before we praise these numbers: what would vectors that know nothing give? Random directions in
# 384 dimensions are nearly at right angles. Their cosines scatter around 0 with a standard
# deviation of 1/√384 = 0.051. The second yardstick: how many words two texts share, no model at
# all.

# %%
D = model.get_embedding_dimension()
directions = pooling.l2_normalize(np.random.default_rng(0).standard_normal((2000, D)))
chance = (directions[:1000] * directions[1000:]).sum(axis=1)
print(f"a thousand pairs of random directions: spread {chance.std():.3f}")
assert math.isclose(chance.std(), 1 / math.sqrt(D), rel_tol=0.1)

bags = [set(text.lower().strip(".?").split()) for text in texts]
shared = np.array([[len(x & y) / math.sqrt(len(x) * len(y)) for x in bags] for y in bags])

# %% [markdown]
# The task: for each of eight texts, find the one of the other eight that belongs to it. Guessing
# gets one right. MiniLM was trained to be pooled by the mean, and we also try what it was *not*
# trained for. Lengths and cosines of all three poolings are compared with those of PyTorch.

# %%
rows, starts = token_vectors(texts)
matrices = {"shared words": shared}
for name in ("mean", "cls", "max"):
    pooled = pooling.POOLINGS[name](rows, starts)
    lengths = np.linalg.norm(pooled, axis=1)
    assert_close(lengths, recorded["pairs"]["lengths"][name], "length", atol=1e-4)
    unit = pooling.l2_normalize(pooled)
    matrices[name] = unit @ unit.T
    assert_close(matrices[name], recorded["pairs"][name], "cosine", atol=1e-5)

own = np.eye(8, dtype=bool)
print("               found    cosine of a pair   of two that do not belong together")
for name, matrix in matrices.items():
    across = matrix[::2, 1::2]
    found = int((across.argmax(axis=1) == np.arange(8)).sum())
    print(f"{name:12}   {found} of 8 {across[own].mean():14.2f} {across[~own].mean():19.2f}")

# %%
figure = new_figure(8, 3.2)
panels = figure.subplots(3, 1, sharex=True)
for axes, name in zip(panels, ("mean", "cls", "max"), strict=True):
    across = matrices[name][::2, 1::2]
    axes.plot(across[~own], np.zeros(56), "|", color="0.5", markersize=14)
    axes.plot(across[own], np.zeros(8), "v", color="black", markersize=9)
    axes.set(ylabel=name, yticks=[], xlim=(-0.2, 1))
panels[0].set_title("cosines: triangles belong together, grey lines do not", fontsize=9)
viz.alt(figure, "Cosines of pairs and others. Mean: others lie around 0. cls and max: around 0.6.")

# %% [markdown]
# Read the grey lines. With the mean, two texts that have nothing to do with each other have a
# cosine near 0. With cls or max it is 0.55 or 0.67, above many *true* pairs of the first row. A
# fixed threshold such as "0.6 is similar" means nothing without the model and its pooling. What
# carries over is the order: which of these texts is nearest.
#
# ## 4. What it costs
#
# The layers cost by far the most, and they cost by the token. So padding is what makes a batch
# slow: here 31 short texts and one long one. Padded to a rectangle, most of it is `[PAD]`.

# %%
batch = texts * 2
batch[-1] = "the river bank " * 60
lengths = model.token_count(batch)
print(f"tokens: {lengths.sum()}; in a rectangle: {len(batch)} x {lengths.max()}", end="")
print(f" = {len(batch) * lengths.max()}, {len(batch) * lengths.max() / lengths.sum():.1f} times")

ids = model.tokenizer.encode(batch, model.max_seq_length).ids
rectangle = np.zeros((len(ids), max(map(len, ids))), np.int32)
for row, each in zip(rectangle, ids, strict=True):
    row[: len(each)] = each
padded = {"token_ids": rectangle, "segment_ids": 0 * rectangle, "padding_mask": rectangle != 0}

everything = model.backbone(padded)["sequence_output"]
ragged, starts = model.backbone.encode_ragged(ids)
for i, each in enumerate(ids):
    assert np.array_equal(everything[i, : len(each)], ragged[starts[i] : starts[i + 1], :D])
print("every kept token has the same bits in both")

# %% tags=["varies"]
for name, work in (
    ("a rectangle", lambda: model.backbone(padded)),
    ("kept tokens", lambda: model.backbone.encode_ragged(ids)),
):
    start = time.perf_counter()
    work()
    print(f"{name}: {1000 * (time.perf_counter() - start):7.1f} ms")

# %% [markdown]
# ## Your turn
#
# `npbert.check` tries your function on what the toy BERT computes.
#
# **Exercise 1, mean_pooling.** From a rectangle this time: `sequence_output` is (B, T, D) and
# `padding_mask` (B, T), not 0 where a token is kept. Return (B, D).


# %%
def my_mean_pooling(sequence_output, padding_mask):
    raise NotImplementedError("your turn")


npbert.check("mean_pooling", my_mean_pooling)

# %% [markdown]
# **Exercise 2, normalize.** `vectors` is (B, D). Bring each to length 1. Mind a vector of zeros.


# %%
def my_normalize(vectors):
    raise NotImplementedError("your turn")


npbert.check("normalize", my_normalize)

# %% [markdown]
# **Exercise 3, cosine.** `a` is (A, D), `b` is (B, D). Return all cosines, (A, B).


# %%
def my_cosine(a, b):
    raise NotImplementedError("your turn")


npbert.check("cosine", my_cosine)

# %% [markdown]
# ## Solutions
#
# <details><summary>Exercise 1</summary>
#
# ```python
# def my_mean_pooling(sequence_output, padding_mask):
#     kept = (padding_mask != 0)[:, :, None]  # (B, T, 1)
#     total = np.where(kept, sequence_output, 0).sum(axis=1)
#     return total / np.maximum(kept.sum(axis=1), 1)
#
# assert npbert.check("mean_pooling", my_mean_pooling)
# ```
# </details>
#
# <details><summary>Exercise 2</summary>
#
# ```python
# def my_normalize(vectors):
#     lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
#     return vectors / np.maximum(lengths, 1e-12)
#
# assert npbert.check("normalize", my_normalize)
# ```
# </details>
#
# <details><summary>Exercise 3</summary>
#
# ```python
# def my_cosine(a, b):
#     return my_normalize(a) @ my_normalize(b).T
#
# assert npbert.check("cosine", my_cosine)
# ```
# </details>
#
# ---
# You can now read: `npbert/ops/pooling.py` and `npbert/tasks/embedder.py`. Next: [06 · From NumPy
# to Numba](06_numpy_to_numba.ipynb).
