"""Files to named arrays: what is in a model file, under Keras Hub's variable paths.

==================== ==========================================================================
`names`              the one table: each tensor's shape, place in Keras's h5, Hugging Face name
`keras_h5`           Keras's ``model.weights.h5`` -> arrays
`hugging_face`       Hugging Face's ``model.safetensors`` -> arrays
`safetensors_file`   the safetensors format itself: header rules, one tensor at a time
`checks`             complete, right shapes, finite: the same rules for every format
`files`              regular files only, and what a file that is something else looks like
`strict_json`        JSON without duplicate keys, NaN or surprises
==================== ==========================================================================

Whatever the file, the result is the same: a dictionary from canonical name to a float32 array in
Keras's shape, C-contiguous, in native byte order, fresh and writable; or an error, and nothing.
Heavy libraries are imported inside the function that needs them: safetensors files need only NumPy.
"""

from __future__ import annotations

from npbert.weights.names import Array, weight_shapes

__all__ = ["Array", "weight_shapes"]
