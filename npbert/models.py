"""The public classes under Keras Hub's path.

``import npbert as keras_hub`` and ``keras_hub.models.BertBackbone`` then work as its documentation
shows them.
"""

from npbert.backbone import Backbone, BertBackbone

__all__ = ["Backbone", "BertBackbone"]
