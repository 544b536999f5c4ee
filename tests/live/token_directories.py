"""Directories with tokenizers in Hugging Face's format, and pairs of texts for them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, Final

from live import token_texts

PAIRS: Final = 2_000
MAX_LENGTH: Final = 48

_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_BERT: Final[dict[str, dict[str, Any] | None]] = {  # tokenizer_config.json
    "nothing_said": None,
    "uncased": {"do_lower_case": True, "strip_accents": None, "never_split": None},
    "cased": {"do_lower_case": False},
    "uncased_with_accents": {"do_lower_case": True, "strip_accents": False},
    "cased_without_accents": {"do_lower_case": False, "strip_accents": True},
    "chinese_off": {"tokenize_chinese_chars": False, "tokenizer_class": "BertTokenizerFast"},
    "cased_chinese_off": {"do_lower_case": False, "tokenize_chinese_chars": False},
    "other_names": {"mask_token": "<mask>", "pad_token": "[unused0]"},
    "added": {
        "added_tokens_decoder": {
            "0": {"content": "[PAD]", "normalized": False, "special": True},
            "40000": {"content": "co op", "normalized": True, "special": False, "lstrip": True},
            "40001": {"content": "fox", "normalized": False, "special": False, "rstrip": True},
        },
        "extra_special_tokens": ["<|end|>"],
    },
}
VOCABULARIES: Final = (*_BERT, "legacy")
CLASSES: Final = {  # with a tokenizer.json, which the last does not follow
    "of_tokenizers": "PreTrainedTokenizerFast",
    "contradicted": "BertTokenizer",
}
SENTENCE_PIECE: Final = "sentence_piece"
NAMES: Final = (*VOCABULARIES, *CLASSES, SENTENCE_PIECE)


def write(work: Path, seed: int, texts: list[str]) -> None:
    """All of them, each in its folder; for the last, transformers is needed."""
    vocabulary = [token for token in token_texts.vocabulary(seed, texts) if _is_a_line(token)]
    content = "\n".join(dict.fromkeys([*vocabulary, "[unused0]"])) + "\n"
    for name, config in _BERT.items():
        _write(work / name, content, {} if config is None else {"tokenizer_config.json": config})
    mask = {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False}
    legacy = {
        "tokenizer_config.json": {"do_lower_case": True},
        "special_tokens_map.json": {"mask_token": {**mask, "single_word": False}},
        "added_tokens.json": {"Jumped": 40001, "New York": 40000},
    }
    _write(work / "legacy", content, legacy)
    roles = {"pad_token": "[PAD]", "mask_token": "[MASK]"}
    for name, kind in CLASSES.items():
        config = {"tokenizer_class": kind, "do_lower_case": True, **roles}
        _write(work / name, None, {"tokenizer_config.json": config})
        _word_piece(vocabulary).save(str(work / name / "tokenizer.json"))
    _write(work / SENTENCE_PIECE, None, {})
    write_sentence_piece(work / SENTENCE_PIECE, texts[:4_000])


def pairs(seed: int, texts: list[str]) -> list[tuple[str, str, int]]:
    """Two texts and a limit on their tokens."""
    random = Random(seed + 2)
    return [(*random.choices(texts, k=2), random.randint(5, 40)) for _ in range(PAIRS)]


def _write(folder: Path, vocabulary: str | None, files: dict[str, Any]) -> None:
    folder.mkdir()
    config = {"model_type": "bert", "architectures": ["BertModel"]}
    for name, fields in {"config.json": config, **files}.items():
        (folder / name).write_text(json.dumps(fields))
    if vocabulary is not None:
        (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8", newline="")


def _is_a_line(token: str) -> bool:
    return token == token.rstrip() and "\n" not in token and "\r" not in token


def _word_piece(vocabulary: list[str]) -> Any:
    """Cased, with truncation and padding left over from training."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {token: i for i, token in enumerate(vocabulary)}
    library: Any = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    library.add_special_tokens(list(_SPECIAL))
    library.normalizer = normalizers.BertNormalizer(lowercase=False)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")],
    )
    library.enable_truncation(7)
    library.enable_padding(length=7)
    return library


def write_sentence_piece(folder: Path, texts: list[str]) -> None:
    """What transformers makes of a SentencePiece model, learnt here, for XLM-R: tokenizer.json.

    Its class for XLM-R reads the scores in that file by Python; the library, which every other
    class has read it, ends up one last digit away, and that decides between equal scores.
    """
    import sentencepiece
    import transformers

    (learnt := folder / "learnt").mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(text for text in texts if text.strip() and "\0" not in text),
        model_prefix=str(learnt / "sentencepiece.bpe"),
        model_type="unigram",
        vocab_size=3_000,
        character_coverage=0.98,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    transformers.XLMRobertaTokenizer.from_pretrained(learnt).save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    fields = json.loads(config.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    config.write_text(json.dumps(fields))
