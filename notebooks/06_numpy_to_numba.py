# %% [markdown]
# # 06 · From NumPy to Numba
#
# *the river bank* has become a vector. This notebook does one step of that again, four times,
# each time faster, and then asks how fast it could be at all.
#
# Three ideas:
#
# 1. **Compile the loop.** A NumPy line runs through memory once for each operation. A compiled
#    loop goes through once. The price is paid at the first call.
# 2. **Sixteen at a time.** A processor adds four, eight or sixteen numbers in one instruction
#    (sixteen with AVX-512), but only where the program says that the order of the sum does not
#    matter, or says what the order is.
# 3. **Count, then measure.** Additions and multiplications can be counted on paper. Divided by
#    time they say how much of the machine is in use.

# %%
import inspect
import json
import math
import os
import time
from pathlib import Path

import numba
import numpy as np

import npbert
from npbert import simd, teaching, viz
from npbert.bench import op_cases, peak
from npbert.config import BertConfig
from npbert.ops.dense import PackedDense
from npbert.ops.layer_norm import layer_norm, layer_norm_kernel
from npbert.ops.registry import OPS
from npbert.parity import assert_close
from npbert.parity.bundle import load_bundle
from npbert.simd import gemm
from npbert.simd.buffers import pad_columns
from npbert.simd.kernel import kernel
from npbert.viz.figures import new_figure

np.set_printoptions(precision=4, suppress=True)
GOLDEN = Path("../golden")
recorded = json.loads((GOLDEN / "lessons.json").read_text())  # by PyTorch: golden/lessons.py

# %% [markdown]
# ## 1. One op in four versions
#
# Layer norm takes each token's numbers to mean 0 and variance 1, then scales and shifts them.
# First as loops, nothing hidden. The input is our sentence in the toy BERT, just before its first
# norm, and the answer is what Keras recorded.

# %%
toy = teaching.toy()
keras = load_bundle(GOLDEN / "toy")
T = int(keras.arrays["inputs.padding_mask"][0].sum())  # row 0 is our sentence
# tf32: by TensorFlow in float32, not NVIDIA's format
before = keras.arrays["tf32.embeddings.sum"][0, :T]  # (T, D)
after = keras.arrays["tf32.embeddings.layer_norm"][0, :T]
weights = dict(toy.backbone.weights())
gamma, beta = (weights[f"embeddings_layer_norm/{name}"] for name in ("gamma", "beta"))
epsilon = toy.backbone.config.layer_norm_epsilon


def loops(x, gamma, beta, epsilon):
    """(R, D), (D,), (D,) -> (R, D)"""
    R, D = x.shape
    out = np.empty_like(x)
    for r in range(R):
        mean = 0.0
        for d in range(D):
            mean += x[r, d]
        mean /= D
        variance = 0.0
        for d in range(D):
            variance += (x[r, d] - mean) ** 2
        deviation = math.sqrt(variance / D + epsilon)
        for d in range(D):
            out[r, d] = (x[r, d] - mean) / deviation * gamma[d] + beta[d]
    return out


assert_close(loops(before, gamma, beta, epsilon), after, "embeddings.layer_norm")
viz.show(loops(before, gamma, beta, epsilon), "T D")

# %% [markdown]
# Second, npbert's definition, three lines of NumPy. Each line makes whole new arrays: the mean is
# subtracted into one, the squares fill another, the quotient a third. For large arrays these
# temporaries do not fit into the processor's caches, and it mostly waits for memory.

# %%
print(inspect.getsource(layer_norm))
assert_close(layer_norm(before, gamma, beta, epsilon=epsilon), after, "embeddings.layer_norm")

# %% [markdown]
# Third, the loops of above once more, but compiled. `numba.njit` reads the Python function when
# it is first called, sees the types of what it was given, and makes machine code for them.

# %%
compiled_loops = numba.njit(error_model="numpy")(loops)
assert_close(compiled_loops(before, gamma, beta, epsilon), after, "embeddings.layer_norm")
print("compiled for:", *(str(each) for each in compiled_loops.signatures[0]), sep="\n  ")

# %% [markdown]
# Fourth, npbert's kernel. The same loops, but in steps of 16: `simd.load` takes sixteen numbers,
# `+` adds sixteen to sixteen, `fma` multiplies and adds in one go and rounds once. Above each
# step stands the NumPy line that it replaces.

# %%
print(inspect.getsource(layer_norm_kernel.function))

# %%
numbers = pad_columns(before.astype(np.float32))  # kernels want aligned rows of whole sixteens
scale, shift = (pad_columns(each[None]) for each in (gamma, beta))
out = np.empty_like(numbers)
layer_norm_kernel(numbers, scale, shift, epsilon, before.shape[1], out)
assert_close(out[:, : before.shape[1]], after, "embeddings.layer_norm")

row = np.array([recorded["layer_norm"]["x"]])
D = row.shape[1]
for version in (
    loops(row, np.ones(D), np.zeros(D), 1e-12),
    layer_norm(row, np.ones(D), np.zeros(D), epsilon=1e-12),
    compiled_loops(row, np.ones(D), np.zeros(D), 1e-12),
    OPS["layer_norm"].compiled(row, np.ones(D), np.zeros(D), epsilon=1e-12),
):
    assert_close(version[0], recorded["layer_norm"]["y"], "layer_norm")
print("four versions = Keras on our sentence, and = PyTorch on", row[0])

# %% [markdown]
# How fast are they on 512 tokens of 768 numbers, which is what BERT-base normalises 25 times for
# a long text? (The loops in plain Python only get 8 tokens, and their time is multiplied by 64.)


# %%
def best(run, repeats=7):
    """Seconds of the fastest run."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return min(spent)


R, D = 512, 768
x = pad_columns(np.sin(np.arange(R * D) ** 2 % 8191).reshape(R, D).astype(np.float32))
ones, zeros = np.ones(D, np.float32), np.zeros(D, np.float32)
out = np.empty_like(x)
by_line = layer_norm(x, ones, zeros, epsilon=epsilon)
assert_close(compiled_loops(x, ones, zeros, epsilon), by_line, "layer_norm")
layer_norm_kernel(x, ones[None], zeros[None], epsilon, D, out)
assert_close(out, by_line, "layer_norm")

# %% tags=["varies"]
times = {
    "loops in Python": 64 * best(lambda: loops(x[:8], ones, zeros, epsilon), 1),
    "NumPy lines": best(lambda: layer_norm(x, ones, zeros, epsilon=epsilon)),
    "loops, compiled": best(lambda: compiled_loops(x, ones, zeros, epsilon)),
    "npbert's kernel": best(lambda: layer_norm_kernel(x, ones[None], zeros[None], epsilon, D, out)),
}
slowest = max(times.values())
for name, seconds in times.items():
    print(f"{name:16} {1000 * seconds:9.3f} ms, {slowest / seconds:7,.0f} times the loops' speed")

figure = new_figure(7, 2)
axes = figure.subplots()
axes.barh(list(times), [1000 * seconds for seconds in times.values()], color="0.4")
axes.set(xscale="log", xlabel="milliseconds for 512 x 768; each mark is ten times the one before")
axes.set_xticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1000"])
axes.invert_yaxis()
viz.alt(figure, "Layer norm in four versions on a logarithmic scale, from loops to the kernel.")

# %% [markdown]
# ## 2. Why the compiled loop is not yet the fastest
#
# One reason is small: Numba made `mean` a float64, because `0.0` is one in Python. The other is
# not. `mean += x[r, d]` says: first this one, then the next. Floating-point sums depend on their
# order, because each addition rounds. So a compiler that is honest must add one number at a time,
# and has to wait for each addition before it begins the next. Here is how much order matters, on
# a hundred thousand times 0.1 in float32, each way computed step by step:

# %%
tenths = np.full(100_000, 0.1, np.float32)
one_by_one = np.cumsum(tenths, dtype=np.float32)[-1]
lanes = np.cumsum(tenths.reshape(-1, 16), axis=0, dtype=np.float32)[-1]  # sixteen sums
while len(lanes) > 1:  # then 8 + 8, 4 + 4, 2 + 2, 1 + 1
    lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
exact = math.fsum(tenths.tolist())
print(f"exact           {exact:.4f}")
print(f"one by one      {one_by_one:.4f}   off by {abs(one_by_one - exact):.4f}")
print(f"sixteen lanes   {lanes[0]:.4f}   off by {abs(lanes[0] - exact):.4f}")
assert abs(lanes[0] - exact) < abs(one_by_one - exact) / 10

# %% [markdown]
# A flag called *fastmath* lets a compiler choose the order itself. It is fast, and then the
# numbers depend on the compiler, the processor, and the length of the array. npbert writes the
# order down: always sixteen lanes, then always 8 + 8, 4 + 4, 2 + 2, 1 + 1, on any processor. That
# is fast, closer to exact, and gives the same bits everywhere. You can write a kernel like that
# yourself:


# %%
@kernel("void(real[:, ::1], real[:, ::1])")
def row_sum_kernel(x, out):
    """(R, whole sixteens) -> (R, 16): each row's sum, sixteen times."""
    for row in range(x.shape[0]):
        total = simd.fill(0.0)
        for column in range(0, x.shape[1], 16):
            total = total + simd.load(x, row, column)
        simd.store(simd.add_lanes(total), out, row, 0)


row, found = pad_columns(tenths[None]), pad_columns(np.zeros((1, 16), np.float32))
row_sum_kernel(row, found)
print("the kernel:", found[0, 0], "  by hand:", lanes[0])
assert found[0, 0] == lanes[0]

# %% [markdown]
# ## 3. The price of the first call
#
# Machine code has to be made before it can run. npbert keeps what it compiled on disk, so only
# the first process on a machine waits; `npbert warmup` does it beforehand. A function that was
# never compiled, called twice, beside a kernel that comes from disk:

# %% tags=["varies"]
fresh = numba.njit(error_model="numpy")(loops)
small = np.ones((2, 16), np.float32)
for call in ("first call", "second call"):
    start = time.perf_counter()
    fresh(small, small[0], small[0], 1e-12)
    print(f"{call:12} of the compiled loop {1000 * (time.perf_counter() - start):10.3f} ms")

max_pool_kernel = OPS["max_pool"].kernels[0]
start = time.perf_counter()
max_pool_kernel.prepare()
print(f"max_pool_kernel, from disk {1000 * (time.perf_counter() - start):14.3f} ms")

# %% [markdown]
# ## 4. Count, then measure
#
# Nearly all of BERT's work is products of matrices. One element of `(R, K) @ (K, M)` is K
# multiplications and K additions, so the product is 2 R K M operations. For BERT-base and 128
# tokens:

# %%
T, D, F, L = 128, 768, 3072, 12
per_layer = {
    "query, key, value": 3 * 2 * T * D * D,
    "scores and context": 2 * 2 * T * T * D,
    "attention output": 2 * T * D * D,
    "feed-forward": 2 * 2 * T * D * F,
}
pooler = 2 * D * D
for name, count in per_layer.items():
    print(f"{name:20} {L * count / 1e9:7.2f} billion")
total = L * sum(per_layer.values()) + pooler
print(f"{'all':20} {total / 1e9:7.2f} billion")

assert total == recorded["bert_base"]["flops_1x128"]
sizes = {"num_layers": L, "num_heads": 12, "hidden_dim": D, "intermediate_dim": F}
base = BertConfig(vocabulary_size=30522, **sizes)
assert total == op_cases.step_flops(base, 1, T)[op_cases.WHOLE] + pooler
print("PyTorch's counter of operations says the same, to the last one")

# %% [markdown]
# A product in three versions. The loops in Python get a small one. All are given in billions of
# operations per second (GFLOP/s). The peak is what the processor does with nothing but
# multiply-adds in registers, measured now, on one thread.


# %%
def product(a, b):
    """(R, K) @ (K, M) -> (R, M)"""
    out = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for r in range(a.shape[0]):
        for k in range(a.shape[1]):
            for m in range(b.shape[1]):
                out[r, m] += a[r, k] * b[k, m]
    return out


compiled_product = numba.njit(error_model="numpy")(product)
R, K, M = 128, 384, 384
a = np.sin(np.arange(R * K) ** 2 % 8191).reshape(R, K).astype(np.float32)
b = np.cos(np.arange(K * M) ** 2 % 8191).reshape(K, M).astype(np.float32)
packed = PackedDense(b, np.zeros(M, np.float32))
exact = a.astype(np.float64) @ b
for version in (a @ b, compiled_product(a, b), packed(a)):
    assert_close(version, exact, "dense", atol=1e-4)
print("three versions agree with the product in float64")

# %% tags=["varies"]
highest = max(peak.measure(1) for _ in range(10))
rates = {
    "loops in Python": 2 * 5 * 64 * 64 / best(lambda: product(a[:5, :64], b[:64, :64]), 1),
    "loops, compiled": 2 * R * K * M / best(lambda: compiled_product(a, b)),
    "npbert's kernel": 2 * R * K * M / best(lambda: packed(a)),
}
for name, rate in rates.items():
    print(f"{name:16} {rate / 1e9:9.4f} GFLOP/s {rate / highest:9.3%} of the peak")
print(f"{'peak':16} {highest / 1e9:9.4f} GFLOP/s, one thread")

# %% [markdown]
# The compiled loops do well: their innermost line adds to M different elements, so there is no
# order to respect, and the compiler takes several at a time on its own. (NumPy's `a @ b` is left
# out: it calls a BLAS library, which has threads of its own.) The kernel comes close to the peak.
# It keeps a block of the result in registers and uses each number that it loads many times.
# `npbert/simd/README.md` draws it. And the order of each sum is written down here, too:

# %%
print(inspect.getsource(gemm).partition('"""')[2].partition('"""')[0])
print("DEPTH =", gemm.DEPTH)

# %% [markdown]
# ## 5. A whole model, and more threads
#
# npbert cuts the work so that each thread computes whole rows or whole columns, and never a part
# of a sum. So the bits do not depend on how many there are. Eight real texts through
# all-MiniLM-L6-v2, whose last layer Hugging Face's model has computed for us at a few tokens:

# %%
one, two = (npbert.BertBackbone.from_preset("all-MiniLM-L6-v2", num_threads=n) for n in (1, 2))
golden = load_bundle(GOLDEN / "minilm").arrays
names = ("token_ids", "segment_ids", "padding_mask")
inputs = {name: golden[f"inputs.{name}"][:8] for name in names}
results = [model(inputs, skip_padding=True)["sequence_output"] for model in (one, two)]
assert results[0].tobytes() == results[1].tobytes()

for (text, token), expected in zip(
    golden["inputs.hidden_rows"], golden["hf32.hidden_rows"], strict=True
):
    if text < 8:
        assert_close(results[0][text, token], expected, "sequence_output")
print("one thread = two threads, to the bit; and both as Hugging Face")

# %% [markdown]
# And the time, for eight texts of 128 tokens:

# %% tags=["varies"]
ids = np.tile(golden["inputs.token_ids"][21, :128], (8, 1))
full = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 1 + 0 * ids}
work = op_cases.step_flops(one.config, 8, 128)[op_cases.WHOLE]
for threads, model in ((1, one), (2, two)):
    seconds = best(lambda model=model: model(full), 5)
    rate, most = work / seconds / 1e9, max(peak.measure(threads) for _ in range(10)) / 1e9
    print(f"threads: {threads} of {os.cpu_count()}   {1000 * seconds:6.1f} ms   ", end="")
    print(f"{rate:6.1f} of {most:6.1f} GFLOP/s, {rate / most:.0%} of the peak")

# %% [markdown]
# `npbert bench` measures like this with more care, and other engines beside npbert. If the ratio is
# low, or two threads have the peak of one, then the two share a core, or something else is running:
# a measurement is only as good as the machine is quiet.
#
# ## Your turn
#
# **Exercise, layer_norm in loops.** `x` is (B, T, D), `gamma` and `beta` are (D,). Write loops
# that Numba can compile, then take the `#` away from the line above it. `npbert.check` takes any
# function that can be called, compiled or not.


# %%
# @numba.njit
def my_layer_norm(x, gamma, beta, epsilon):
    raise NotImplementedError("your turn")


npbert.check("layer_norm", my_layer_norm)

# %% [markdown]
# ## Solutions
#
# <details><summary>Exercise</summary>
#
# ```python
# @numba.njit
# def my_layer_norm(x, gamma, beta, epsilon):
#     B, T, D = x.shape
#     out = np.empty_like(x)
#     for b in range(B):
#         for t in range(T):
#             mean, variance = 0.0, 0.0
#             for d in range(D):
#                 mean += x[b, t, d] / D
#             for d in range(D):
#                 variance += (x[b, t, d] - mean) ** 2 / D
#             for d in range(D):
#                 normal = (x[b, t, d] - mean) / math.sqrt(variance + epsilon)
#                 out[b, t, d] = normal * gamma[d] + beta[d]
#     return out
#
# assert npbert.check("layer_norm", my_layer_norm)
# ```
# </details>
#
# ---
# You can now read: `npbert/simd/README.md`, `npbert/simd/gemm.py` and the kernels in
# `npbert/ops/`, for instance `npbert/ops/layer_norm.py`.
#
# Next: [07 · The parity detective](07_parity_detective.ipynb).
