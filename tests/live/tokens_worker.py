"""Keras Hub's own tokens: ``python -m live.tokens_worker WORK SEED PART OF``.

Leaves in ``WORK/tokens_PART.npz``, for every OF-th of the settings, what a ``BertTokenizer`` of its
own makes of all the texts: ``NUMBER.ids`` one after another, and ``NUMBER.lengths``. The first part
also loads the presets in ``WORK/presets/CLASS``, and leaves ``CLASS.INPUT`` of pairs of the texts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras_hub
import numpy as np
from live import token_texts
from live.peers import save

from golden.cases import Arrays
from golden.token_texts import settings, without_tensorflow_text


def main(work: Path, seed: int, part: int, of: int) -> None:
    without_tensorflow_text()
    texts = token_texts.texts(seed)
    vocabulary = token_texts.vocabulary(seed, texts)
    found: Arrays = {}
    for number, chosen in list(enumerate(settings()))[part::of]:
        tokenizer = keras_hub.models.BertTokenizer(vocabulary, **chosen)
        # Without splitting, a list is the words of one text: each text has to be a list.
        rows = tokenizer(texts if tokenizer.split else [[text] for text in texts])
        found[f"{number}.ids"] = np.array([id for row in rows for id in row], np.int32)
        found[f"{number}.lengths"] = np.array([len(row) for row in rows])
    for folder in (work / "presets").iterdir() if part == 0 else ():
        preprocessor = getattr(keras_hub.models, folder.name).from_preset(str(folder))
        inputs = preprocessor(x=token_texts.pairs(texts))
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        found |= {f"{folder.name}.{name}": np.asarray(array) for name, array in inputs.items()}
    save(work, f"tokens_{part}", found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
