"""How a batch runs: its ragged plan, packed weights, scratch memory, threads, the forward pass."""
