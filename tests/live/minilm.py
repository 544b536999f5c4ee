"""Texts for all-MiniLM-L6-v2 that no golden has, and what they become as inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from live.peers import save
from numpy.typing import NDArray

from golden.cases import Arrays
from golden.minilm import MAX_TOKENS, model_dir
from golden.minilm import TEXTS as GOLDEN_TEXTS
from npbert.text.tokenizer import load_tokenizer

_NEWS = (
    "Ferries between the two islands were cancelled on Tuesday as winds reached 110 km/h; the "
    "harbour master said that the 06:40 sailing might leave, but that nobody should count on it. "
)

TEXTS = (
    "How do I reset my password?",
    "I forgot my login credentials and cannot sign in.",
    "The mitochondrion is the powerhouse of the cell.",
    " ",
    "\n\t\r\n",
    "a",
    "Zażółć gęślą jaźń; Příliš žluťoučký kůň; Árvíztűrő tükörfúrógép",
    "İstanbul'da ışık, ŞEKER ve ÇİÇEK",
    "straße STRASSE ſtraſse",
    "e\u0301\u0302 n\u0303 stacked combining marks",
    "ﬁne ﬂuﬀy ligatures and ｆｕｌｌ ｗｉｄｔｈ",
    "今天天气很好,我们去公园吧!",
    "ひらがなとカタカナと漢字",
    "안녕하세요 세계",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "Ελληνικά: ΟΔΥΣΣΕΥΣ και σοφός",
    "مَرْحَبًا with tashkeel, and ١٢٣",
    "🏳️‍🌈👍🏽 flags 🇯🇵🇫🇷 and skin tones",
    "zero\u200bwidth, soft\u00adhyphen, nbsp\u00a0here, bom\ufeff, ideographic\u3000space",
    "bell\x07 and nul\x00 and replacement \ufffd and private \ue000",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕞𝕒𝕥𝕙 and 𐍈 and 𠀀",
    "1,234,567.89 + 2^10 = 0x400; 50% off; £9.99; 3½ cups; №7; ™®©",
    "don't can't I'd've rock'n'roll state-of-the-art e-mail_address snake_case camelCase",
    "SELECT * FROM t WHERE a<>'b' AND c>=1; -- comment",
    "[MASK] [UNK] [CLS][SEP] ##ing ##s [unused1]",
    "w" * 99 + " " + "w" * 100 + " " + "w" * 101,
    _NEWS * 2,
    _NEWS * 9,
    "supercalifragilisticexpialidocious " * 60,
)

assert not set(TEXTS) & set(GOLDEN_TEXTS)

_ALPHABETS = ((0x20, 0x7F), (0xA0, 0x250), (0x300, 0x530), (0x590, 0x700), (0x2000, 0x2C00))
_ALPHABETS += ((0x3000, 0xD7A4), (0xF900, 0x10000), (0x10000, 0x20000), (0, 0xD800))


def random_texts(seed: int, count: int = 200) -> list[str]:
    """Words of random characters, each text out of a few of the Unicode ranges."""
    rng = np.random.default_rng([seed, 7])
    return [_random_text(rng) for _ in range(count)]


def _random_text(rng: np.random.Generator) -> str:
    ranges = [_ALPHABETS[i] for i in rng.integers(len(_ALPHABETS), size=2)]
    words: list[str] = []
    for _ in range(int(rng.integers(1, 40))):
        low, high = ranges[int(rng.integers(2))]
        words.append("".join(map(chr, rng.integers(low, high, size=int(rng.integers(1, 9))))))
    return " ".join(words)


def padded(ids: list[NDArray[np.int32]], length: int = MAX_TOKENS) -> Arrays:
    """Token ids as the model's three inputs, (n, length) int32, padded with 0 on the right."""
    tokens = np.zeros((len(ids), length), np.int32)
    mask = np.zeros_like(tokens)
    for row, each in enumerate(ids):
        tokens[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return {"token_ids": tokens, "segment_ids": np.zeros_like(tokens), "padding_mask": mask}


def tokens_of(texts: list[str] | tuple[str, ...]) -> Arrays:
    """The texts by npbert's tokenizer."""
    tokenizer = load_tokenizer(model_dir(), "hugging_face")
    return padded(tokenizer.encode(list(texts), MAX_TOKENS).ids)


def write_inputs(work: Path) -> None:
    """Leave the texts' inputs for the workers, no longer than the longest text."""
    inputs = tokens_of(TEXTS)
    longest = int(inputs["padding_mask"].sum(axis=1).max())
    save(work, "minilm@inputs", {name: array[:, :longest] for name, array in inputs.items()})
