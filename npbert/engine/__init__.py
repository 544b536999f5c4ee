"""How a batch runs: from checked arrays to the rows of the last layer.

================ ==============================================================================
`inputs`         what a caller passes, checked before any kernel sees it
`packed`         the weights, laid out once for the kernels
`plan`           the ragged rows of a batch: no padding, and which keys each row sees
`forward`        one pass: embeddings, layers, pooler
`run`            which rows go together, and whether threads share sequences or ops
`threads`        npbert's own, started when they are needed; `placement`: each on a CPU of its own
`turns`          callers at the same time use no more threads than there are CPUs
`trace`          the same pass op by op, every stage kept
`self_check`     the kernels against their hashes, before the first result
`warmup`         every kernel ahead of time, for this machine or for others
================ ==============================================================================
"""
