# %% [markdown]
# # 03 · Attention by hand
#
# *the river bank.* Which bank is it? You know, because you also read the word before it.
# Attention is how the vector of one token takes in what other tokens know. It is the only place
# in BERT where tokens meet: every other step works on each token alone.
#
# Three ideas:
#
# 1. **Query and key.** Each token asks with one vector and answers with another. Their dot
#    product says how well question and answer fit.
# 2. **Softmax and value.** Fits become shares that sum to 1. A token receives the mean of all
#    values, weighted by its shares.
# 3. **Padding takes no part.** Its shares are 0, and the shares of the others still sum to 1.

# %%
import inspect
import json
import math
import time
from pathlib import Path

import numpy as np

import npbert
from npbert import teaching, viz
from npbert.ops import attention as attention_file
from npbert.ops.registry import OPS
from npbert.parity import assert_close
from npbert.parity.bundle import load_bundle

np.set_printoptions(precision=4, suppress=True)
GOLDEN = Path("../golden")

# %% [markdown]
# ## 1. Three tokens, four numbers each
#
# These numbers were made up, so that they can be read. Think of the four columns as *article*,
# *water*, *money* and *place*. The key of "river" says: much water, a bit of a place. The query
# of "bank" asks one thing: is there water here?

# %%
torch = json.loads((GOLDEN / "lessons.json").read_text())["attention"]
words = ["the", "river", "bank", "[PAD]"]
query, key, value = (np.array(torch[name], float) for name in ("query", "key", "value"))

print("            query          key            value")
for t in range(3):
    print(f"{words[t]:>6}", query[t], key[t], value[t])

# %% [markdown]
# How well does a question fit an answer? Multiply number by number, and add: the dot product.
# Then divide by the square root of their count, here √4 = 2. Dot products of longer vectors are
# larger just because more numbers are added; the division takes that out again.
#
# This is a loop over every pair of tokens, with nothing hidden:

# %%
H = 4
scores = [[0.0] * 3 for _ in range(3)]
for t in range(3):  # who asks
    for s in range(3):  # who answers
        for h in range(H):
            scores[t][s] += query[t][h] * key[s][h]
        scores[t][s] /= math.sqrt(H)

for t in range(3):
    print(f"{words[t]:>6} asks:", ", ".join(f"{words[s]} {scores[t][s]:.1f}" for s in range(3)))

# %% [markdown]
# "bank" asked for water, and "river" fits best, with a score of 4.
#
# ## 2. Scores become shares, and shares mix values
#
# Softmax takes e to the power of each score, and divides by the sum over the row. All shares are
# positive, each row sums to 1, and one more point of score always means e = 2.72 times the share.

# %%
shares = [[math.exp(score) for score in row] for row in scores]
shares = [[share / sum(row) for share in row] for row in shares]

received = [[0.0] * H for _ in range(3)]
for t in range(3):
    for s in range(3):
        for h in range(H):
            received[t][h] += shares[t][s] * value[s][h]

for t in range(3):
    mix = " + ".join(f"{shares[t][s]:.2f} {words[s]}" for s in range(3))
    print(f"{words[t]:>6} = {mix:34} =", np.array(received[t]))

# %% [markdown]
# Read the last line. The new "bank" is 87 % of what "river" has to give. The same three loops,
# with the loops left to NumPy: one line each. The letters in `einsum` are the loops: `t` asks,
# `s` answers, and `h`, which is missing on the right, is summed.


# %%
def three_lines(query, key, value):
    """(T, H) each -> shares (T, T) and what each token receives (T, H)"""
    scores = np.einsum("th,sh->ts", query, key) / math.sqrt(query.shape[-1])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return shares, np.einsum("ts,sh->th", shares, value)


shares_of_lines, received_of_lines = three_lines(query[:3], key[:3], value[:3])
assert_close(shares_of_lines, shares, "probs")
assert_close(received_of_lines, received, "context")
assert_close(received_of_lines, torch["three"], "context")
print("loops = array lines = torch.nn.functional.scaled_dot_product_attention")

# %% [markdown]
# The third comparison is the one that counts. The file `golden/lessons.json` holds what PyTorch
# answered to these very numbers (`golden/lessons.py` asked it).
#
# ## 3. npbert's own
#
# The same in npbert, for B texts and N heads at once; here both are 1. (A head is one attention, as
# above. A layer runs several side by side, and `04_a_layer_and_a_stack` is about them.) It differs
# in three things. It scales the query *before* the product, as Keras does. It knows a padding mask,
# to which we come next. And its softmax first subtracts the largest score of each row. (`fused` and
# `uniform` belong to a second path, which Keras takes when a model was built without dropout,
# something of training. The file's first lines tell.)

# %%
print(inspect.getsource(attention_file.attention))

# %% [markdown]
# Why subtract the largest score? e to the power of 1000 is too large for any float. A share does
# not change when all scores of its row go down by the same amount, so npbert moves the largest to
# 0.

# %%
print(inspect.getsource(attention_file.softmax))
large = np.array([1000.0, 1001.0])
with np.errstate(over="ignore", invalid="ignore"):
    print("without subtracting:", np.exp(large) / np.exp(large).sum())
print("npbert's softmax:   ", attention_file.softmax(large, large > 0))


# %%
def of_npbert(query, key, value, mask):
    """One text, one head: (T, H) x3, (T,) -> (T, H)"""
    query, key, value = (x[None, :, None, :] for x in (query, key, value))  # (1, T, 1, H)
    result = attention_file.attention(query, key, value, np.array([mask]), fused=False)
    return result.context[0, :, 0]


ours = of_npbert(query[:3], key[:3], value[:3], [1, 1, 1])
assert_close(ours, torch["three"], "context")
print(ours)

# %% [markdown]
# ## 4. Padding
#
# Texts of a batch have different lengths, and an array is a rectangle. So short texts get `[PAD]`
# tokens at the end. `[PAD]` has a key and a value like any token, and here they are loud: its
# value is 9 everywhere. What happens if nobody stops it?

# %%
print("[PAD]: query", query[3], "key", key[3], "value", value[3])
leaked, received_with_padding = three_lines(query, key, value)
print("shares of bank:  ", dict(zip(words, leaked[2].round(4).tolist(), strict=True)))
print("bank receives:   ", received_with_padding[2])
print("it should be:    ", ours[2])
assert_close(received_with_padding, torch["four_unmasked"], "context")

# %% [markdown]
# One might repair the shares afterwards and set the last column to 0. Then the row no longer sums
# to 1: the share that the padding took is lost, and "bank" receives too little.

# %%
repaired = leaked.copy()
repaired[:, 3] = 0
print("sum of shares:   ", repaired[2].sum().round(4))
print("bank receives:   ", (repaired @ value)[2])

# %% [markdown]
# The mask belongs *before* the softmax: a key that is not kept has no score at all. Then the
# three real tokens get what they got without any padding. PyTorch says the same.

# %%
masked = of_npbert(query, key, value, [1, 1, 1, 0])
assert_close(masked[:3], ours, "context")
assert_close(masked, torch["four_masked"], "context")

# %%
right = attention_file.softmax(query @ key.T / 2, np.array([[True, True, True, False]] * 4))
rows = np.vstack([leaked[2], repaired[2], right[2]])
viz.alt(
    viz.strip(
        rows,
        ["no mask", "mask after softmax", "mask before it"],
        title="the shares of bank: the, river, bank, [PAD]",
    ),
    "The shares of bank. Without a mask, [PAD] takes 0.11. With the mask after the softmax, the"
    " others keep what they had. With the mask before it, they are larger, and sum to 1.",
)

# %% [markdown]
# ## 5. What it costs
#
# Every token asks every token. With T tokens that is T × T dot products, for the scores, and as
# much again for the mix of values: 4 T² H multiplications and additions for one head. Twice the
# text, four times the work. The loops of section 1 and 2 in plain Python, the three lines, and
# npbert's compiled kernel, for one head of 32 numbers:


# %%
def in_loops(query, key, value):
    """Sections 1 and 2 in one."""
    T, H = len(query), len(query[0])
    received = []
    for t in range(T):
        scores = [sum(query[t][h] * key[s][h] for h in range(H)) / math.sqrt(H) for s in range(T)]
        shares = [math.exp(score) for score in scores]
        total = sum(shares)
        received.append([sum(shares[s] / total * value[s][h] for s in range(T)) for h in range(H)])
    return np.array(received)


def compiled(query, key, value):
    """npbert's kernel, called as its definition is: float32, one text, one head."""
    heads = (x[None, :, None, :].astype(np.float32) for x in (query, key, value))
    mask = np.ones((1, len(query)), np.int32)
    return OPS["attention"].compiled(*heads, mask, fused=False).context[0, :, 0]


def waves(T, H):
    """Three arrays of smooth numbers, the same on every machine."""
    angles = np.arange(3 * T * H).reshape(3, T, H)
    return np.sin(0.7 * angles * angles % 13)


for T in (16, 64):
    expected = in_loops(*waves(T, 32).tolist())
    assert_close(three_lines(*waves(T, 32))[1], expected, "context")
    assert_close(compiled(*waves(T, 32)), expected, "context")
print("all three agree")


# %% tags=["varies"]
def milliseconds(run, *arguments, repeats=5):
    """The best of a few runs."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(*arguments)
        spent.append(time.perf_counter() - start)
    return 1000 * min(spent)


print("   T  additions and multiplications     loops   three lines   compiled   (ms)")
for T in (16, 64, 256):
    x = waves(T, 32)
    loops = milliseconds(in_loops, *x.tolist(), repeats=3)
    lines, kernel = milliseconds(three_lines, *x), milliseconds(compiled, *x)
    print(f"{T:4} {4 * T * T * 32:31,} {loops:10.1f} {lines:12.2f} {kernel:10.2f}")

# %% [markdown]
# Each time T grows fourfold, and the count sixteenfold. The loops' time grows about as much. NumPy
# and the kernel begin with a fixed price for a call, so that short texts look expensive. Why the
# kernel is fast is the subject of `06_numpy_to_numba`.
#
# ## 6. A head that has learned something
#
# In a real model nobody makes queries up. They are computed from the token vectors by a matrix,
# and that matrix was trained; so are keys and values, each with a matrix of its own. npbert ships
# a toy BERT with 16 numbers a token and 2 heads of 8. It was trained by Keras Hub, on a little
# language about rivers and money. Here is our sentence, and the query of layer 0, by hand.
#
# (Keras calls this a *dense* layer: a product with a matrix, its *kernel*, plus a row of numbers,
# its *bias*. The compiled kernels of npbert only share the name.)

# %%
toy = teaching.toy()
keras = load_bundle(GOLDEN / "toy")
T = int(keras.arrays["inputs.padding_mask"][0].sum())  # row 0 is our sentence
names = ("token_ids", "segment_ids", "padding_mask")
inputs = {name: keras.arrays[f"inputs.{name}"][:1, :T] for name in names}
tokens = [toy.preprocessor.tokenizer.id_to_token(int(i)) for i in inputs["token_ids"][0]]
print(tokens)

outputs, stages = toy.backbone.run_with_cache(inputs)
weights = dict(toy.backbone.weights())
x = stages["embeddings.layer_norm"]
layer = "transformer_layer_0/self_attention_layer"
query_by_hand = (
    np.einsum("btd,dnh->btnh", x, weights[f"{layer}/query/kernel"]) + weights[f"{layer}/query/bias"]
)
viz.show(query_by_hand, "B T N H")
# tf32: by TensorFlow in float32, not NVIDIA's format
assert_close(query_by_hand, keras.arrays["tf32.layer.0.query"][:1, :T], "layer.0.query")
print("the query of Keras itself, which recorded it in golden/toy.safetensors")

# %% [markdown]
# From there on it is the attention of section 3. Scores, shares, and what each token receives,
# all three compared with what Keras Hub recorded for the same sentence:

# %%
attended = attention_file.attention(
    *(stages[f"layer.0.{name}"] for name in ("query", "key", "value")),
    inputs["padding_mask"],
    fused=False,
)
for name, array in attended._asdict().items():
    expected = keras.arrays[f"tf32.layer.0.{name}"][:1]
    expected = expected[:, :T] if name == "context" else expected[:, :, :T, :T]
    assert_close(array, expected, f"layer.0.{name}")
    print(f"{name:8} {array.shape} as in Keras")

# %% [markdown]
# The shares as a picture. A row asks, a column answers, and each row sums to 1.

# %%
viz.attention(stages, tokens, layer=0, head=0)

# %% [markdown]
# Each head has its own three matrices, so each asks its own question. Two texts that differ in
# one token, and the toy has to guess the hidden word. In its language animals and verbs agree, so
# it should look for the plural, which is a token of its own, `##s`. One head does:

# %%
for text in ("the dog [MASK] in the lake.", "the dogs [MASK] in the lake."):
    best = toy.fill_mask(text)[0]
    print(f"{text:30} {best['token_str']:4} {best['score']:.2f}")

ids = toy.preprocessor.tokenizer.encode([text], 24).ids[0][None]
plural = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 1 + 0 * ids}
_, plural_stages = toy.backbone.run_with_cache(plural)
plural_tokens = [toy.preprocessor.tokenizer.id_to_token(int(i)) for i in ids[0]]
hidden, plural_token = plural_tokens.index("[MASK]"), plural_tokens.index("##s")
for layer in range(2):
    for head in range(2):
        share = plural_stages[f"layer.{layer}.probs"][0, head, hidden, plural_token]
        print(f"layer {layer}, head {head}: [MASK] gives ##s a share of {share:.2f}")

# %%
viz.heads(plural_stages, plural_tokens)

# %% [markdown]
# ## 7. Real weights
#
# all-MiniLM-L6-v2 has six layers of twelve heads. Find the two clear diagonals: head 2 of layer 0
# looks at the token before, and at nothing else; head 8 of layer 1 mostly at the one after. From
# layer 1 on, many heads look at `[CLS]`, the first column: a place to look for a head that finds
# nothing to ask. It gets more than half of all shares. (In BERT-base `[SEP]` has that part: Clark
# et al. 2019, section 3.2.) Such a picture shows where a model *looks*. It does not prove why it
# answers as it does.

# %%
model = npbert.Embedder("all-MiniLM-L6-v2")
text = "they sat on the river bank"
ids = model.tokenizer.encode([text], 32).ids[0][None]
real = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 1 + 0 * ids}
_, real_stages = model.backbone.run_with_cache(real)
real_tokens = [token.token for token in model.tokenizer.tokens(text)]
before = np.diagonal(real_stages["layer.0.probs"][0, 2], -1)
after = np.diagonal(real_stages["layer.1.probs"][0, 8], 1)
print("share of the token before, layer 0, head 2:", before.round(2))
print("share of the token after, layer 1, head 8: ", after.round(2))
of_cls = np.mean([real_stages[f"layer.{i}.probs"][0, :, 1:, 0] for i in range(1, 6)])
print(f"share that the others give [CLS], layers 1 to 5: {of_cls:.2f}")
assert of_cls > 0.5
viz.heads(real_stages, real_tokens)

# %% [markdown]
# ## Your turn
#
# `npbert.check` puts your function into the toy BERT, in every place where the real one stands,
# and says what came out. If something is wrong it names the mistake where it knows it.
#
# **Exercise 1, softmax.** `scores` is (B, N, T, T), `mask` is (B, T) and not 0 where a key is
# kept. Return shares of the same shape as `scores`. Each row sums to 1, and keys that are not
# kept get 0.


# %%
def my_softmax(scores, mask):
    raise NotImplementedError("your turn")


npbert.check("softmax", my_softmax)

# %% [markdown]
# **Exercise 2, attention.** `query`, `key` and `value` are (B, T, N, H), `mask` is (B, T). Return
# what each token receives, also (B, T, N, H). You may call your softmax.


# %%
def my_attention(query, key, value, mask):
    raise NotImplementedError("your turn")


npbert.check("attention", my_attention)

# %% [markdown]
# ## Solutions
#
# <details><summary>Exercise 1</summary>
#
# ```python
# def my_softmax(scores, mask):
#     kept = mask[:, None, None, :] != 0  # (B, 1, 1, T): the same for all heads and queries
#     scores = np.where(kept, scores, -np.inf)
#     shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
#     return shares / shares.sum(axis=-1, keepdims=True)
#
# assert npbert.check("softmax", my_softmax)
# ```
# </details>
#
# <details><summary>Exercise 2</summary>
#
# ```python
# def my_attention(query, key, value, mask):
#     query, key, value = (x.swapaxes(1, 2) for x in (query, key, value))  # (B, N, T, H)
#     scores = query @ key.swapaxes(2, 3) / math.sqrt(query.shape[-1])
#     return (my_softmax(scores, mask) @ value).swapaxes(1, 2)
#
# assert npbert.check("attention", my_attention)
# ```
# </details>
#
# ---
# You can now read: `npbert/ops/attention.py`, all but its kernel, and the first half of
# `npbert/ops/softmax.py`. Next: [04 · A layer and a stack](04_a_layer_and_a_stack.ipynb).
