"""``npbert bench``: npbert and its peers on the same weights, in turn, on this machine.

================ ==============================================================================
`models`         the models raced, as directories that every engine reads
`works`          what is computed: shapes, ragged batches, texts; drawn from a seed, and counted
`texts`          the texts of the text job, made at run time
`engines`        one class for each library, and the table of them
`worker`         the process an engine lives in; answers commands, one JSON object a line
`process`        that process, seen from the parent
`race`           rounds in which every engine has its turn; best and median
`peak`           what the CPU's multipliers could do: the yardstick
`experiments`    what races on token ids, and against what: shapes, ragged batches
`text_job`       what races on texts; `text_sweep`: each peer's best batch size and threading
`accuracy`       errors against float64; `reproducibility`: who keeps his bits; `latency`: callers
`by_op`          npbert's ops alone, and a pass as their sum; `kernels`, `op_cases`: how
`machine`        the CPU and the versions, for the record
`report`, `plot` the results as tables, Markdown, JSON and a figure
`session`, `run` one run: its settings, its processes, its record; `checks`: is a peer one?
================ ==============================================================================

Nothing here is imported by the rest of npbert, and no peer is imported by the parent process.
"""
