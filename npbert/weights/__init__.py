"""Files to named arrays: what is in a model file, under Keras Hub's variable paths.

==================== ==========================================================================
`names`              the one table: each tensor's shape, place in Keras's h5, Hugging Face name
`keras_h5`           Keras's ``model.weights.h5`` -> arrays; sharded, int8 and old files too
`keras_layouts`      where Keras has put a layer's variables over the years
`legacy_h5`          the ``.h5`` of Keras before version 3
`int8`               Keras's int8 weights -> floats
`hugging_face`       Hugging Face's ``model.safetensors`` -> arrays
`heads`              the tensors of a task's head: their table, and reading them
`keras_archive`      a ``.keras`` archive, read in place; `zip_safety` says what it may contain
`load_file`          a weights file of any kind that Keras knows, for a model that exists
`save_h5`            arrays -> Keras's ``model.weights.h5``, or shards; through `sink`
`save_safetensors`   arrays -> ``model.safetensors``
`atomic`             files written whole or not at all
`dtypes`             float32, float64, float16 and bfloat16: rounding, and as they are stored
`shards`             the index of weights in several files, and which files it may name
`safetensors_file`   the safetensors format itself: header rules, one tensor at a time
`checks`             complete, right shapes, finite: the same rules for every format
`untrusted`          HDF5 that is not trusted, read by another process and held to the config
`h5_process`         that process, seen from this one: started once, with a time; `h5_child` is it
`h5_safety`          what an HDF5 file may contain before anything is read from it
`h5_heaps`           whether HDF5 comes to the end of a group's names
`files`              regular files only, unchanged until read, named when something else
`module_list`        sentence-transformers' ``modules.json``, and where its modules lie
`settings`           small JSON files, typed
`strict_json`        JSON without duplicate keys, NaN or surprises
==================== ==========================================================================

Whatever the file, the result is the same: a dictionary from canonical name to an array in Keras's
shape, of the dtype that was asked for, C-contiguous, in native byte order, fresh and writable; or
an error, and nothing. Numbers that are in that dtype already keep their bits.
Heavy libraries are imported inside the function that needs them: safetensors files need only NumPy.
"""

from __future__ import annotations

from npbert.weights.names import Array, weight_shapes

__all__ = ["Array", "weight_shapes"]
