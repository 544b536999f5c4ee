"""The tokens of Keras Hub's own tokenizer, and what its preprocessors make of them.

``tokens.json`` has the texts, the vocabulary and the settings they were given, and the token ids of
every text under every setting, equal rows written once. Only characters that Python 3.11 knows are
in the texts: of newer ones the case and the accents depend on the Python.
"""

from __future__ import annotations

import itertools
import json
import unicodedata
from pathlib import Path
from random import Random
from typing import Any, Final

import keras_hub
import numpy as np

from golden.bundles import provenance
from golden.minilm import TEXTS
from golden.token_texts import (
    OWN,
    SPECIAL,
    TRICKY,
    drawn,
    long_words,
    pieces_of,
    settings,
    without_tensorflow_text,
)

SEED: Final = 41
DRAWN: Final = 120

_WORDS: Final = "the quick brown fox jumped over new york co ##ed ##s ##op . , [ ] mask"
_PLAIN: Final = "the quick fox jumped over new york"
_PAIR: Final = ["The quick, quick fox.", "jumped over York"]
_PAIRS: Final = [["the fox", "", _PLAIN], ["over", "New York.", _PLAIN * 2]]

PACKED: Final[tuple[tuple[str, dict[str, Any], Any], ...]] = (  # class, settings, segments
    ("TextClassifier", {"sequence_length": 9}, [_PLAIN]),
    ("TextClassifier", {"sequence_length": 9}, [[_PLAIN, "", "the fox"]]),
    ("TextClassifier", {"sequence_length": 12}, _PAIR),
    ("TextClassifier", {"sequence_length": 12, "truncate": "waterfall"}, _PAIR),
    ("TextClassifier", {"sequence_length": 9}, _PAIRS),
    ("TextClassifier", {"sequence_length": 9, "truncate": "waterfall"}, _PAIRS),
    ("TextClassifier", {"sequence_length": 13}, [*_PAIRS, ["quick " * 7, "a [PAD] b", "[SEP]"]]),
    ("TextEmbedder", {"sequence_length": 10}, [[_PLAIN, "", "[PAD] the [MASK]"]]),
    ("MaskedLM", {"sequence_length": 11, "mask_selection_rate": 0.0}, _PAIR),
    (
        "MaskedLM",
        {
            "sequence_length": 11,
            "mask_selection_rate": 1.0,
            "mask_selection_length": 12,
            "mask_token_rate": 1.0,
            "random_token_rate": 0.0,
        },
        [["the [SEP] fox", "[MASK] " + _PLAIN, ""]],
    ),
)

SAVED: Final[tuple[tuple[str, dict[str, Any]], ...]] = (  # class, settings
    ("TextClassifier", {"sequence_length": 12, "truncate": "waterfall"}),
    ("TextEmbedder", {}),
    ("MaskedLM", {"mask_selection_length": 11, "random_token_rate": 0.05}),
)


def run_all(work: Path) -> None:
    """Write ``work/out/tokens.json``."""
    without_tensorflow_text()
    texts = make_texts()
    vocabulary = make_vocabulary(texts)
    rows: dict[tuple[int, ...], int] = {}
    tokens = [
        [rows.setdefault(tuple(row), len(rows)) for row in tokenize(vocabulary, texts, chosen)]
        for chosen in settings()
    ]
    tokenizer = keras_hub.models.BertTokenizer(vocabulary)
    content = {
        "about": __doc__.splitlines()[0],
        "provenance": provenance(SEED),
        "vocabulary": vocabulary,
        "texts": texts,
        "settings": settings(),
        "rows": [list(row) for row in rows],
        "tokens": tokens,
        "detokenized": tokenizer.detokenize([list(row) for row in itertools.islice(rows, 60)]),
        "packed": [pack(vocabulary, *each) for each in PACKED],
        "saved": [save(work / "saved", *each) for each in SAVED],
    }
    path = work / "out" / "tokens.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="ascii")


def make_texts() -> list[str]:
    random = Random(SEED)
    written = [*TRICKY, *long_words(), *TEXTS[:8]]
    known = (text for text in iter(lambda: drawn(random), None) if _assigned(text))
    return [*written, *itertools.islice(known, DRAWN)]


def _assigned(text: str) -> bool:
    return all(unicodedata.category(character) != "Cn" for character in text)


def make_vocabulary(texts: list[str]) -> list[str]:
    random = Random(SEED)
    few = [piece for piece in pieces_of(texts, random) if len(piece) < 5 or random.random() < 0.3]
    return list(dict.fromkeys(["[UNK]", *SPECIAL, *OWN, *_WORDS.split(), *few]))


def tokenize(vocabulary: list[str], texts: list[str], chosen: dict[str, Any]) -> list[list[int]]:
    tokenizer = keras_hub.models.BertTokenizer(vocabulary, **chosen)
    # Without splitting, a list is the words of one text: each text has to be a list.
    rows = tokenizer(texts if tokenizer.split else [[text] for text in texts])
    return [[int(id) for id in row] for row in rows]


def pack(vocabulary: list[str], kind: str, chosen: dict[str, Any], segments: Any) -> dict[str, Any]:
    """What a preprocessor makes of segments, each a text or a batch of texts."""
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary, lowercase=True, special_tokens_in_strings=True
    )
    name = f"Bert{kind}Preprocessor"
    outputs = getattr(keras_hub.models, name)(tokenizer, **chosen)(x=tuple(segments))
    parts = outputs if isinstance(outputs, tuple) else (outputs,)
    return {
        "class": name,
        "settings": chosen,
        "segments": segments,
        "inputs": {key: np.asarray(value).tolist() for key, value in parts[0].items()},
        "labels": [np.asarray(value).tolist() for value in parts[1:]],
    }


def save(folder: Path, kind: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The files that ``save_to_preset`` of a preprocessor writes, by path."""
    few = ["[UNK]", *SPECIAL, *_WORDS.split(), "\u3000fox"]
    own = {"special_tokens": ["fox"], "special_tokens_in_strings": True}
    # Without a name, Keras numbers the objects of a process.
    tokenizer = keras_hub.models.BertTokenizer(few, lowercase=True, name="bert_tokenizer", **own)
    name = f"Bert{kind}Preprocessor"
    getattr(keras_hub.models, name)(tokenizer, **chosen).save_to_preset(str(folder / name))
    files = [path for path in (folder / name).rglob("*") if path.is_file()]
    texts = {str(p.relative_to(folder / name)): p.read_text(encoding="utf-8") for p in files}
    return {"class": name, "settings": chosen, "files": dict(sorted(texts.items()))}
