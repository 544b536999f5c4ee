# %% [markdown]
# # 04 · A layer and a stack
#
# *the river bank* has met itself in attention. This notebook puts the rest of a layer around
# that, and then puts layers on top of each other. At the end you will have built BERT.
#
# Three ideas:
#
# 1. **Heads.** Attention runs several times side by side, each time on its own slice of the
#    queries, keys and values.
# 2. **Feed-forward.** Then each token goes alone through two matrices with a bent line, GELU,
#    between them.
# 3. **Residual and norm, again and again.** What a step computes is *added* to what was there,
#    and the sum is normalised. Such layers are stacked, and the word "bank" finds its meaning on
#    the way.

# %%
import inspect
import json
import math
import textwrap
from pathlib import Path

import numpy as np

import npbert
from npbert import reference, teaching, viz
from npbert.ops import dense, gelu, layer_norm
from npbert.ops.attention import attention
from npbert.ops.feed_forward import feed_forward
from npbert.parity import assert_close
from npbert.parity.bundle import load_bundle
from npbert.viz.figures import new_figure

np.set_printoptions(precision=4, suppress=True)
GOLDEN = Path("../golden")
recorded = json.loads((GOLDEN / "lessons.json").read_text())  # by PyTorch: golden/lessons.py

# %% [markdown]
# ## 1. Heads: one long vector, cut in slices
#
# A token's query has D numbers, each computed from all D numbers of the token. The same goes for
# its key and its value. These are what is cut: with N heads, each head works on H = D / N numbers.
# Here D = 6, N = 2 and H = 3, for two tokens. Head 0 gets the first half of each query, head 1 the
# second:
#
# ```
#             D = 6                        head 0      head 1
#  query 0   [ 0  1  2  3  4  5 ]   ->    [ 0 1 2 ]   [ 3 4 5 ]
#  query 1   [ 6  7  8  9 10 11 ]   ->    [ 6 7 8 ]   [ 9 10 11 ]
#
#  (B, T, D)   reshape   (B, T, N, H)   swap T and N   (B, N, T, H)
# ```

# %%
B, T, N, H = 1, 2, 2, 3
x = np.arange(B * T * N * H).reshape(B, T, N * H)

in_loops = np.empty((B, N, T, H), int)
for b in range(B):
    for t in range(T):
        for n in range(N):
            for h in range(H):
                in_loops[b, n, t, h] = x[b, t, n * H + h]

in_a_line = x.reshape(B, T, N, H).swapaxes(1, 2)
assert np.array_equal(in_a_line, in_loops)
print(in_a_line)

# %% [markdown]
# The classic mistake is to reshape straight to (B, N, T, H). The shape is right, no error is
# raised, and head 0 now holds all of query 0, cut in two as if it were two queries:

# %%
print(x.reshape(B, N, T, H))

# %% [markdown]
# A trained model notices. The toy BERT (16 numbers, 2 heads of 8) reads our sentence. Its query
# is a dense layer, cut into heads, and Keras recorded what it should be:

# %%
toy = teaching.toy()
weights = {name: array.astype(np.float64) for name, array in toy.backbone.weights()}
config = toy.backbone.config
keras = load_bundle(GOLDEN / "toy")
T = int(keras.arrays["inputs.padding_mask"][0].sum())  # row 0 is our sentence
names = ("token_ids", "segment_ids", "padding_mask")
inputs = {name: keras.arrays[f"inputs.{name}"][:1, :T] for name in names}
tokens = [toy.preprocessor.tokenizer.id_to_token(int(i)) for i in inputs["token_ids"][0]]


def of_keras(stage):
    """What Keras Hub computed for our sentence, without the padding."""
    recorded = keras.arrays[f"tf32.{stage}"][:1]  # by TensorFlow in float32, not NVIDIA's format
    return recorded[:, :, :T, :T] if recorded.shape[1] == config.num_heads else recorded[:, :T]


print(tokens)
x = of_keras("embeddings.layer_norm")
name = "transformer_layer_0/self_attention_layer/query"
matrix = weights[f"{name}/kernel"].reshape(config.hidden_dim, -1)  # (D, N, H) -> (D, D)
long = x @ matrix + weights[f"{name}/bias"].reshape(-1)
B, T, D = long.shape
N, H = config.num_heads, config.head_dim
cut = long.reshape(B, T, N, H)
assert_close(cut, of_keras("layer.0.query"), "layer.0.query")

wrong = long.reshape(B, N, T, H).swapaxes(1, 2)
print("right cut: equal to Keras")
print("wrong cut: off by up to", np.abs(wrong - of_keras("layer.0.query")).max().round(4))

# %% [markdown]
# In npbert the cut is part of the dense layer, and so is the way back: `join_heads` lays the
# slices of all heads side by side again and mixes them with one more matrix.

# %%
print(inspect.getsource(dense.dense_heads))
print(inspect.getsource(dense.join_heads))

# %%
layer = "transformer_layer_0/self_attention_layer"
query, key, value = (
    dense.dense_heads(x, weights[f"{layer}/{part}/kernel"], weights[f"{layer}/{part}/bias"])
    for part in ("query", "key", "value")
)
attended = attention(query, key, value, inputs["padding_mask"], fused=False)
output = f"{layer}/attention_output"
joined = dense.join_heads(attended.context, weights[f"{output}/kernel"], weights[f"{output}/bias"])
assert_close(joined, of_keras("layer.0.attention_output"), "layer.0.attention_output")
viz.show(joined, "B T D", rows=2, digits=2)

# %% [markdown]
# ## 2. Feed-forward, and the bent line in it
#
# Next, each token by itself: a matrix from D = 16 to F = 40 numbers, GELU on each of them, and a
# matrix back. Two matrices in a row would be one matrix; the bend in between is what makes it
# more.
#
# GELU keeps large numbers, drops very negative ones, and is smooth in between: x times the chance
# that a normal random number is below x. That chance needs the function *erf*:

# %%
points = recorded["gelu"]["x"]
by_hand = [point / 2 * (1 + math.erf(point / math.sqrt(2))) for point in points]
for point, bent in zip(points, by_hand, strict=True):
    print(f"gelu({point:4.1f}) = {bent:7.4f}")

at = np.array(points)
assert_close(by_hand, recorded["gelu"]["erf"], "gelu")
assert_close(gelu.gelu(at), recorded["gelu"]["erf"], "gelu")
assert_close(gelu.gelu_approximate(at), recorded["gelu"]["tanh"], "gelu")
print(inspect.getsource(gelu.gelu))
print(inspect.getsource(gelu.gelu_approximate))

# %% [markdown]
# There are two of them. Google's BERT began with *erf*, and Hugging Face kept that. Google's code
# later changed to a formula that uses *tanh* and comes close, and Keras Hub has that one. In the
# left picture you see one line, because the other lies under it. On the right is the gap between
# them: at most 4.73e-4, at 2.70. That is small, and thousands of times what rounding to float32
# does. A model that was trained with one should run with the same one; npbert keeps it in the
# config, and `npbert info` prints it.

# %%
grid = np.linspace(-6, 6, 120_001)
gap = gelu.gelu(grid) - gelu.gelu_approximate(grid)
print("largest gap:", f"{np.abs(gap).max():.3e}", "at", abs(grid[np.abs(gap).argmax()]).round(2))
assert math.isclose(np.abs(gap).max(), recorded["gelu"]["largest_gap"], rel_tol=1e-6)

figure = new_figure(9, 3)
left, right = figure.subplots(1, 2)
few = slice(None, None, 200)
left.plot(grid[few], gelu.gelu(grid[few]), "-", color="0.6", linewidth=4, label="erf")
left.plot(grid[few], gelu.gelu_approximate(grid[few]), "--", color="black", label="tanh")
left.plot(grid[few], np.maximum(grid[few], 0), ":", color="black", label="no curve: max(0, x)")
left.set(title="GELU, both forms", xlabel="x", xlim=(-4, 4), ylim=(-0.5, 4))
left.legend()
right.plot(grid[few], 1e4 * gap[few], color="black")
right.set(title="erf minus tanh, times 10,000", xlabel="x")
right.axhline(0, color="0.7")
viz.alt(figure, "Left: GELU with erf and with tanh lie on each other. Right: their gap, 4.73e-4.")

# %% [markdown]
# The whole block in npbert, and what Keras's two Dense layers made of the same sentence:

# %%
print(inspect.getsource(feed_forward))
y = of_keras("layer.0.attention_layer_norm")
inner, outer = (f"transformer_layer_0/feedforward_{x}_dense" for x in ("intermediate", "output"))
block_weights = [weights[f"{x}/{part}"] for x in (inner, outer) for part in ("kernel", "bias")]
block = feed_forward(y, *block_weights, activation=config.activation)
assert_close(block.activation, of_keras("layer.0.activation"), "layer.0.activation")
assert_close(block.output, of_keras("layer.0.output"), "layer.0.output")
viz.show(block.activation, "B T F", rows=2, digits=2)

# %% [markdown]
# ## 3. Add what was there, then normalise
#
# Both blocks are wrapped alike: **x becomes norm(x + block(x))**. The path that carries x past the
# block is called a residual connection. (npbert's stages call the sum itself `..._residual`.) A
# block only has to say what should *change*; the rest is carried on. The norm then brings each
# token back to one size.


# %%
def residual_norm(x, change, norm):
    """norm(x + change): (B, T, D) x2 -> (B, T, D)"""
    gamma, beta = weights[f"{norm}/gamma"], weights[f"{norm}/beta"]
    return layer_norm.layer_norm(x + change, gamma, beta, epsilon=config.layer_norm_epsilon)


y = residual_norm(x, joined, "transformer_layer_0/self_attention_layer_norm")
block = feed_forward(y, *block_weights, activation=config.activation)
z = residual_norm(y, block.output, "transformer_layer_0/feedforward_layer_norm")

assert_close(y, of_keras("layer.0.attention_layer_norm"), "layer.0.attention_layer_norm")
assert_close(z, of_keras("layer.0.output_layer_norm"), "layer.0.output_layer_norm")
print("one whole layer, and every step of it is what Keras recorded")

# %% [markdown]
# Where the norm stands matters. GPT-2 and most models after it normalise *before* the block
# (pre-norm: x + block(norm(x))); BERT after (post-norm). The same weights wired the other way
# give other numbers, and no error:

# %%
first = residual_norm(y, 0, "transformer_layer_0/feedforward_layer_norm")
other_way = y + feed_forward(first, *block_weights, activation=config.activation).output
print("post-norm, the word bank:", z[0, 3, :5])
print("wired as pre-norm:       ", other_way[0, 3, :5])

# %% [markdown]
# ## 4. A stack
#
# The second layer does the same with other weights. This is the loop of `npbert.reference`, the
# whole of BERT on one screen. You have met every step of it; `_pair` fetches a kernel and its bias,
# or the gamma and beta of a norm.

# %%
source = inspect.getsource(reference.forward)
start, end = source.index("    for i in range"), source.index("        stages = {")
print(textwrap.dedent(source[start:end]))

# %%
outputs = reference.forward(config, weights, *(inputs[name] for name in names))
assert_close(outputs["sequence_output"], of_keras("sequence_output"), "sequence_output")
_, stages = toy.backbone.run_with_cache(inputs)
assert_close(stages["sequence_output"], of_keras("sequence_output"), "sequence_output")
print("npbert.reference = npbert's kernels = Keras Hub, after all layers")
viz.similarity_by_layer(stages, tokens)

# %% [markdown]
# The picture shows how alike the tokens of our sentence are, before the first layer and after
# each. They start as different words. At the end each knows something of the others.
#
# How much does one layer change? Our sentence in all-MiniLM-L6-v2, a real model of six layers:
# the cosine of each token with itself a layer earlier, and the size of the numbers that the two
# blocks add. "Half" means that half of all numbers are smaller.

# %%
model = npbert.Embedder("all-MiniLM-L6-v2")


def read(text):
    """One text as a model reads it."""
    ids = model.tokenizer.encode([text], 32).ids[0][None]
    return {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 1 + 0 * ids}


_, real = model.backbone.run_with_cache(read("the river bank"))
previous = real["embeddings.layer_norm"][0]
print("layer   cosine   attention adds        feed-forward adds     x after the norm")
for i in range(model.backbone.config.num_layers):
    x = real[f"layer.{i}.output_layer_norm"][0]
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(previous, axis=1)
    print(f"{i:5} {((x * previous).sum(axis=1) / lengths).mean():8.2f}", end="")
    for stage in ("attention_output", "output", "output_layer_norm"):
        size = np.abs(real[f"layer.{i}.{stage}"])
        print(f"   half {np.median(size):4.2f}, max {size.max():5.1f}", end="")
    print()
    previous = x

# %% [markdown]
# Most numbers change by a part of what they were, so a token after a layer is still close to the
# token before it. But look at "max". A few of the 384 numbers become very large in feed-forward,
# and the norm brings them back.

# %% [markdown]
# ## 5. What a stack is good for: two kinds of bank
#
# Real weights again, all-MiniLM-L6-v2. Six sentences have the word "bank", three beside water and
# three with money. Before the first layer it is nearly the same vector in all of them, because it
# is the same word. What happens to it on the way up?

# %%
bank = model.tokenizer.token_to_id("bank")
by_layer = []
for text in recorded["banks"]["texts"]:
    hidden = model.backbone(read(text), output_hidden_states=True)["hidden_states"]
    place = list(read(text)["token_ids"][0]).index(bank)
    by_layer.append([layer[0, place] for layer in hidden])

vectors = np.array(by_layer).swapaxes(0, 1)  # (7, 6, D): embeddings and six layers; six sentences
unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
cosines = unit @ unit.swapaxes(1, 2)
assert_close(cosines, recorded["banks"]["cosines"], "cosine of bank", atol=1e-5)
print("equal to Hugging Face transformers, after each layer")

# %%
pairs = [(i, j) for i in range(6) for j in range(i)]
groups = {
    "both water": [p for p in pairs if max(p) < 3],
    "both money": [p for p in pairs if min(p) >= 3],
    "one of each": [p for p in pairs if min(p) < 3 <= max(p)],
}
figure = new_figure(7, 3)
axes = figure.subplots()
means = {}
for (name, members), style in zip(groups.items(), ("o-", "s-", "^--"), strict=True):
    means[name] = np.array([np.mean([layer[p] for p in members]) for layer in cosines])
    axes.plot(means[name], style, color="black" if name != "one of each" else "0.5", label=name)
    print(f"{name:12}", means[name])
nearer = np.minimum(means["both water"], means["both money"])
assert nearer[-1] > means["one of each"][-1] + 0.05
axes.set(xlabel="after layer (0: embeddings)", ylabel="mean cosine of two banks", ylim=(0.7, 1))
axes.legend()
viz.alt(figure, "Cosine of bank in two sentences by layer. One of each sense falls furthest.")

# %% [markdown]
# At the bottom, all pairs are alike. At the top, banks of one kind are closer to each other than to
# those of the other kind. Nobody told the model that there are two: the neighbours did, through
# attention. It does not go on evenly. The kinds part in the first three layers, then come no
# further for a while, and are furthest apart after the last.
#
# ## 6. What it costs
#
# How many numbers does a layer have? Attention has four D × D matrices, feed-forward two D × F.
# With F = 4 D, as in BERT-base, BERT-large and all-MiniLM-L6-v2, that is 4 and 8 D²: **two thirds
# of a layer are feed-forward**. Counted in full for BERT-base, and by PyTorch:

# %%
V, P, S, D, F, L = 30522, 512, 2, 768, 3072, 12
attention_part = 4 * (D * D + D)
feed_forward_part = D * F + F + F * D + D
norms = 2 * 2 * D
embeddings = (V + P + S) * D + 2 * D
pooler = D * D + D
total = embeddings + L * (attention_part + feed_forward_part + norms) + pooler

print(f"embeddings    {embeddings:11,}")
print(f"attention     {L * attention_part:11,}  (12 layers)")
print(f"feed-forward  {L * feed_forward_part:11,}")
print(f"norms         {L * norms:11,}")
print(f"pooler        {pooler:11,}")
print(f"all           {total:11,}   the paper: 110M")
assert total == recorded["bert_base"]["parameters"]

# %% [markdown]
# And time? Section 4 of [00 · The map](00_map.ipynb) measures it, op by op: nine tenths are
# products of matrices, and most of these are feed-forward. How a product becomes fast is the
# subject of `06_numpy_to_numba`.
#
# ## Your turn
#
# `npbert.check` puts your function into the toy BERT and says what came out.
#
# **Exercise 1, split_heads.** `x` is (B, T, D). Return (B, T, N, H).


# %%
def my_split_heads(x, num_heads):
    raise NotImplementedError("your turn")


npbert.check("split_heads", my_split_heads)

# %% [markdown]
# **Exercise 2, gelu.** The form that Keras Hub uses.


# %%
def my_gelu(x):
    raise NotImplementedError("your turn")


npbert.check("gelu", my_gelu)

# %% [markdown]
# **Exercise 3, residual_norm.** Add, then normalise each token over its D numbers, then scale and
# shift. `x` and `sublayer_output` are (B, T, D), `gamma` and `beta` are (D,).


# %%
def my_residual_norm(x, sublayer_output, gamma, beta, epsilon):
    raise NotImplementedError("your turn")


npbert.check("residual_norm", my_residual_norm)

# %% [markdown]
# ## Solutions
#
# <details><summary>Exercise 1</summary>
#
# ```python
# def my_split_heads(x, num_heads):
#     B, T, D = x.shape
#     return x.reshape(B, T, num_heads, D // num_heads)
#
# assert npbert.check("split_heads", my_split_heads)
# ```
# </details>
#
# <details><summary>Exercise 2</summary>
#
# ```python
# def my_gelu(x):
#     return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
#
# assert npbert.check("gelu", my_gelu)
# ```
# </details>
#
# <details><summary>Exercise 3</summary>
#
# ```python
# def my_residual_norm(x, sublayer_output, gamma, beta, epsilon):
#     both = x + sublayer_output
#     centred = both - both.mean(axis=-1, keepdims=True)
#     variance = (centred**2).mean(axis=-1, keepdims=True)
#     return centred / np.sqrt(variance + epsilon) * gamma + beta
#
# assert npbert.check("residual_norm", my_residual_norm)
# ```
# </details>
#
# ---
# You can now read: `npbert/reference.py`, from top to bottom, and `npbert/ops/feed_forward.py`.
# Next: [05 · Vectors](05_vectors.ipynb).
