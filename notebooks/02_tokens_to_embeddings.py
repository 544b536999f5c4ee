# %% [markdown]
# # 02 · From tokens to embeddings
#
# *the river bank* is five ids now: `[CLS]`, three words, `[SEP]`. An id says nothing by itself: 41
# is not more than 11. So each id fetches a row of numbers from a table, its vector. From here on,
# BERT is arithmetic.
#
# Three ideas:
#
# 1. **Embeddings are rows of tables.** One table says which token, one says at which place, one
#    says in which text. The three rows are added.
# 2. **Layer norm.** Each row is shifted to mean 0 and stretched to variance 1, so that no token
#    shouts.
# 3. **One row a token.** The table cannot tell a river bank from a bank with money. It is where
#    meaning begins, and not where it ends.

# %%
import inspect
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npbert
from npbert import teaching, viz
from npbert.ops import embedding
from npbert.ops.layer_norm import layer_norm
from npbert.parity import assert_close
from npbert.parity.bundle import load_bundle

np.set_printoptions(precision=4, suppress=True)
GOLDEN = Path("../golden")

# %% [markdown]
# ## 1. Three rows, added
#
# The toy BERT has 16 numbers for each token (D = 16). These are its tables:

# %%
toy = teaching.toy()
weights = dict(toy.backbone.weights())
token_table, position_table, segment_table = (
    weights[f"{name}_embedding/embeddings"] for name in ("token", "position", "segment")
)
viz.show(token_table, "V D", rows=2, digits=2)
viz.show(position_table, "P D", rows=2, digits=2)
viz.show(segment_table, "S D", rows=2, digits=2)

# %% [markdown]
# Row 41 of the token table is "bank". Row 3 of the position table is the fourth place of a text,
# and row 0 of the segment table is the first text. The loop is as plain as it can be:

# %%
tokens = ["[CLS]", "the", "river", "bank", "[SEP]"]
ids = [toy.preprocessor.tokenizer.token_to_id(token) for token in tokens]
segments = [0] * len(ids)

T, D = len(ids), token_table.shape[1]
summed = [[0.0] * D for _ in range(T)]
for t in range(T):
    for d in range(D):
        summed[t][d] = token_table[ids[t]][d] + position_table[t][d] + segment_table[segments[t]][d]

print(dict(zip(tokens, ids, strict=True)))
viz.show(summed, "T D", digits=2)

# %% [markdown]
# With arrays it is one line, since NumPy takes a list of rows as an index:

# %%
in_a_line = token_table[ids] + position_table[:T] + segment_table[segments]
assert np.array_equal(in_a_line, np.array(summed, np.float32))

# %% [markdown]
# npbert's own are two functions, `lookup` and `add_embeddings`. The order of the sum is Keras's.
# It matters for the last digit: in floating point, (a + b) + c is not always a + (b + c).

# %%
print(inspect.getsource(embedding.lookup))
print(inspect.getsource(embedding.add_embeddings))

# %%
row_ids, row_segments = np.array([ids]), np.array([segments])  # (B, T), and B is 1
token = embedding.lookup(token_table, row_ids)
position = np.broadcast_to(position_table[:T], token.shape)
segment = embedding.lookup(segment_table, row_segments)
ours = embedding.add_embeddings(token, position, segment)

keras = load_bundle(GOLDEN / "toy")  # what Keras Hub computed; its first text is our sentence
assert keras.arrays["inputs.token_ids"][0, :T].tolist() == ids
for name, array in (("token", token), ("position", position), ("segment", segment), ("sum", ours)):
    stage = f"embeddings.{name}"
    # tf32: by TensorFlow in float32, not NVIDIA's format
    assert_close(array, keras.arrays[f"tf32.{stage}"][:1, :T], stage)
    print(f"{stage:20} {array.shape} as in Keras")

# %% [markdown]
# Here is all of it as a picture. Each strip is a token, each cell a number, and brighter is more.
# Look at the strips of position: they are as strong as those of the tokens. The segment's are all
# the same, as there is one text only.

# %%
inputs = {"token_ids": row_ids, "segment_ids": row_segments, "padding_mask": np.ones((1, T), int)}
outputs, cache = toy.backbone.run_with_cache(inputs)
viz.embedding_sum(cache, tokens)

# %% [markdown]
# **Why positions?** Nothing that follows looks at the order of the rows: attention takes a mean,
# and everything else works on each row alone. Without positions, "the river bank" and "bank the
# river" would be the same rows, shuffled, and stay so to the end. We can try it, with a position
# table of zeros:

# %%
shuffled = [0, 3, 1, 2, 4]  # [CLS] bank the river [SEP]
other = {**inputs, "token_ids": row_ids[:, shuffled]}
for name, table in (("with positions", position_table), ("without", 0 * position_table)):
    changed = {**weights, "position_embedding/embeddings": table}
    model = npbert.BertBackbone.from_weights(toy.backbone.config, changed, num_threads=1)
    first, second = (model(each)["sequence_output"][0] for each in (inputs, other))
    gap = np.abs(first[shuffled] - second).max()
    print(f"{name:15} the vectors of the same word differ by up to {gap:.4f}")
assert gap < 1e-5

# %% [markdown]
# **What it costs.** A lookup copies rows. It is the same as a product with a matrix of zeros and
# ones ("one-hot"), as textbooks write it. Google's BERT computes it so for its two segments. For a
# whole vocabulary that is a waste. For five tokens and 30,522 rows:

# %%
real = npbert.Embedder("all-MiniLM-L6-v2")
real_weights = dict(real.backbone.weights())
table = real_weights["token_embedding/embeddings"]
five = real.tokenizer.encode(["the river bank"], 8).ids[0]
one_hot = np.zeros((5, len(table)), np.float32)
one_hot[range(5), five] = 1
assert np.array_equal(one_hot @ table, embedding.lookup(table, five))
print(f"one-hot product: {2 * one_hot.size * table.shape[1]:,} operations; lookup: none")


# %% tags=["varies"]
def microseconds(run):
    """The best of seven runs."""
    spent = []
    for _ in range(7):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return 1e6 * min(spent)


print(f"one-hot product: {microseconds(lambda: one_hot @ table):9,.1f} µs")
print(f"lookup:          {microseconds(lambda: embedding.lookup(table, five)):9,.1f} µs")

# %% [markdown]
# ## 2. Layer norm
#
# The rows of the sum are of different sizes, and each layer adds to them, so depth would make that
# worse. So each row is put on one scale. Subtract its mean, divide by its spread (the root of its
# variance). Eight numbers, by hand:

# %%
lessons = json.loads((GOLDEN / "lessons.json").read_text())
x, of_torch = (np.array(lessons["layer_norm"][name]) for name in "xy")

mean = sum(x) / len(x)
variance = sum((value - mean) ** 2 for value in x) / len(x)
epsilon = 1e-12  # so that nobody divides by 0; more of it below
normal = [(value - mean) / (variance + epsilon) ** 0.5 for value in x]

print("x     ", x)
print("mean  ", mean, "  variance", variance)
print("normal", np.array(normal))
assert_close(np.array(normal), of_torch, "layer norm")  # torch.nn.functional.layer_norm

# %% [markdown]
# Dividing by `len(x) - 1` would be the *sample* variance of a statistics course. Layer norm
# divides by `len(x)`: the row is all there is, not a sample of something.
#
# npbert's own works on all rows at once. `gamma` and `beta` are D numbers each, learned: how far
# to stretch and shift each column afterwards. `epsilon` keeps the root from being 0.

# %%
print(inspect.getsource(layer_norm))

# %%
gamma, beta = (weights[f"embeddings_layer_norm/{name}"] for name in ("gamma", "beta"))
after = layer_norm(ours, gamma, beta, epsilon=toy.backbone.layer_norm_epsilon)
assert_close(after, keras.arrays["tf32.embeddings.layer_norm"][:1, :T], "embeddings.layer_norm")
print("equal to Keras's own\n\nspread of each row")
plain = layer_norm(ours, 0 * gamma + 1, 0 * beta, epsilon=1e-12)
for name, rows in (("before", ours), ("normal", plain), ("after gamma and beta", after)):
    spreads = ", ".join(f"{token} {row.std():.2f}" for token, row in zip(tokens, rows[0]))
    print(f"{name:21}{spreads}")

# %% [markdown]
# **Epsilon is part of the model.** BERT has 1e-12. PyTorch's default is 1e-5, and many a port was
# wrong because of it. What does it change? Take a row of any spread s; after layer norm its spread
# should be 1, and is s / √(s² + epsilon).

# %%
spreads = np.logspace(-8, 0, 60)
rows = spreads[:, None] * np.array(normal)
figure = Figure(figsize=(6.4, 2.8), layout="constrained")
axes = figure.subplots()
for epsilon, style in ((1e-12, "-"), (1e-5, "--")):
    result = layer_norm(rows, np.ones(8), np.zeros(8), epsilon=epsilon).std(axis=1)
    axes.semilogx(spreads, result, style, color="black", label=f"epsilon {epsilon:g}")
usual = ours[0].std(axis=1)
axes.axvspan(usual.min(), usual.max(), color="lightgrey", label="the rows of our sentence")
axes.set_xlabel("spread of a row before")
axes.set_ylabel("spread after")
axes.legend(fontsize=8)
viz.alt(
    figure,
    "Two curves of the spread after layer norm against the spread before. Both reach 1. With"
    " epsilon 1e-12 that is so above 1e-5, with epsilon 1e-5 only above 0.03; the rows of our"
    f" sentence lie between {usual.min():.2f} and {usual.max():.2f}.",
)

# %% [markdown]
# For our sentence the two seem equal. They are not: the difference is in the fifth digit, hundreds
# of times what float32 rounds away. And a row that is nearly constant shows the other side. Here
# is one of 0.1 with noise of 1e-8, as rounding makes it. A tiny epsilon takes the noise for a
# signal:

# %%
nearly_constant = 0.1 + 1e-8 * np.array(normal)
for epsilon in (1e-12, 1e-5):
    gap = np.abs(layer_norm(ours, gamma, beta, epsilon=epsilon) - after).max()
    noise = np.abs(layer_norm(nearly_constant, np.ones(8), np.zeros(8), epsilon=epsilon)).max()
    print(f"epsilon {epsilon:g}: our sentence differs by {gap:.0e}, the noise becomes {noise:.0e}")

# %% [markdown]
# ## 3. What the rows know
#
# The toy's table has 59 rows. That of all-MiniLM-L6-v2 has 30,522, and is more than half of the
# whole model:

# %%
total = real.backbone.count_params()
print(f"token table {table.size:,} of {total:,} numbers: {table.size / total:.0%}")
assert total == 22_713_216  # the count that Hugging Face shows on the model's page: 22.7M

# %% [markdown]
# Rows of tokens that are used alike have come to lie in the same direction. The cosine of two rows
# says how much: 1 is the same direction, 0 is unrelated.

# %%
unit = table / np.linalg.norm(table, axis=1, keepdims=True)
for word in ("river", "dog", "1874", "bank"):
    cosines = unit @ unit[real.tokenizer.token_to_id(word)]
    nearest = np.argsort(-cosines)[1:11]
    names = " ".join(real.tokenizer.id_to_token(int(i)) for i in nearest)
    print(f"{word:6} {cosines[nearest[0]]:.2f} to {cosines[nearest[-1]]:.2f}  {names}")

# %% [markdown]
# Read the last line again. All of it is about money. There is one row for "bank", whatever kind of
# bank a text means, and in the texts that it was trained on the kind with money outweighed the
# other.
#
# So this table alone cannot read our sentence. The word before "bank" must have its say, and that
# is what attention is for.

# %%
words = ["bank", "money", "loan", "river", "shore", "lake"]
rows = unit[[real.tokenizer.token_to_id(word) for word in words]]
viz.similarity(rows @ rows.T, words, "cosine of rows of the token table")

# %% [markdown]
# ## Your turn
#
# `npbert.check` puts your function into the toy BERT, in every place where the real one stands,
# and says what came out. If something is wrong it names the mistake where it knows it.
#
# **Exercise 1, the sum.** `token_ids` and `segment_ids` are (B, T). The tables are (V, D), (P, D)
# and (S, D). Return (B, T, D).


# %%
def my_embedding_sum(token_ids, segment_ids, token_table, position_table, segment_table):
    raise NotImplementedError("your turn")


npbert.check("embedding_sum", my_embedding_sum)

# %% [markdown]
# **Exercise 2, layer norm.** `x` is (B, T, D), `gamma` and `beta` are (D,). Return (B, T, D).


# %%
def my_layer_norm(x, gamma, beta, epsilon):
    raise NotImplementedError("your turn")


npbert.check("layer_norm", my_layer_norm)

# %% [markdown]
# ## Solutions
#
# <details><summary>Exercise 1</summary>
#
# ```python
# def my_embedding_sum(token_ids, segment_ids, token_table, position_table, segment_table):
#     T = token_ids.shape[1]
#     return token_table[token_ids] + position_table[:T] + segment_table[segment_ids]
#
# assert npbert.check("embedding_sum", my_embedding_sum)
# ```
# </details>
#
# <details><summary>Exercise 2</summary>
#
# ```python
# def my_layer_norm(x, gamma, beta, epsilon):
#     mean = x.mean(axis=-1, keepdims=True)
#     variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
#     return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta
#
# assert npbert.check("layer_norm", my_layer_norm)
# ```
# </details>
#
# ---
# You can now read: `npbert/ops/embedding.py` and `npbert/ops/layer_norm.py`, their NumPy first and
# their kernels below. Next: [03 · Attention by hand](03_attention_by_hand.ipynb).
