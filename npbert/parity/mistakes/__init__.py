"""What people get wrong when they write BERT: each mistake as the op that it makes of an op.

A file for each part of the model. `npbert.parity.causes` has them all in one table.
"""
