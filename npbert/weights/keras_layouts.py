"""Where Keras has put a layer's variables over the years: any file's key -> the table's key.

Keras looks for a layer at each attribute path that leads to it and takes the first that the file
has, which is what makes these load there. A path that Keras does not find stays as it is, and is
then a tensor without a place.

Source: keras/src/saving/saving_lib.py, ``_load_state`` and ``H5IOStore.get``;
keras_hub/src/models/bert/bert_backbone.py, for the attributes.
"""

from __future__ import annotations

import re
from typing import Final

# What Keras keeps beside the weights: a compiled model's optimizer, dropout's random state.
_NOT_WEIGHTS: Final = re.compile(r"^/optimizer/|^/optimizer_weights/|/seed_generator[^/]*/vars/")
# TensorFlow 2.13's Keras called the container of the layers so.
_OLD_CONTAINER: Final = re.compile(r"^/_layer_checkpoint_dependencies/")
# Keras 3.0.0 to 3.0.2 wrote the attention's projections under private names.
_OLD_PROJECTION: Final = re.compile(r"/_(query|key|value|output)_dense/")
# They also visited a model's attributes before its list of layers.
_ATTRIBUTE: Final = re.compile(
    r"^/(?:_?(token_embedding)|(position_embedding|segment_embedding|embeddings_layer_norm"
    r"|pooled_dense))/vars/"
)
_ATTRIBUTES: Final = {
    "token_embedding": "reversible_embedding",
    "position_embedding": "position_embedding",
    "segment_embedding": "embedding",
    "embeddings_layer_norm": "layer_normalization",
    "pooled_dense": "dense",
}
_ENCODER: Final = re.compile(r"^/layers/transformer_encoder(?:_(\d{1,6}))?/")


def table_key(key: str) -> str:
    """The key that the table of names has for a dataset that some version of Keras wrote.

    Args:
        key: the dataset's path in the file, such as ``/_token_embedding/vars/0``.
    """
    key = _OLD_CONTAINER.sub("/layers/", key)
    if attribute := _ATTRIBUTE.match(key):
        name = attribute[1] or attribute[2]
        key = f"/layers/{_ATTRIBUTES[name]}/vars/{key[attribute.end() :]}"
    return _OLD_PROJECTION.sub(r"/\1_dense/", key)


def is_weight(key: str) -> bool:
    """Whether a dataset is one of the model's weights, not of what was saved beside them."""
    return not _NOT_WEIGHTS.search(key)


def layer_of(key: str) -> int:
    """Which transformer layer a key of the table belongs to; -1 for the others."""
    match = _ENCODER.match(key)
    return int(match[1] or 0) if match else -1
