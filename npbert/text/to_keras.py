"""A Hugging Face tokenizer as the files of Keras Hub's, where both have the same options.

Options, not every token: Keras Hub folds case by NFKC, counts the length of a word in bytes and
takes a no-break space for a letter, whatever the options are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from npbert.caller import warn_caller
from npbert.errors import NpbertError
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.hugging_face_files import VOCABULARY
from npbert.text.hugging_face_tokenizer import FILE, HuggingFaceTokenizer

_SPECIAL: Final = ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]")


def keras_tokenizer_files(directory: Path) -> dict[str, bytes]:
    """tokenizer.json and the vocabulary, by path in a Keras preset; or none, and a warning why.

    Args:
        directory: in Hugging Face's format. One without a tokenizer has none here either.
    """
    if not any((directory / name).exists() for name in (FILE, VOCABULARY)):
        return {}
    try:
        tokenizer = HuggingFaceTokenizer.from_directory(directory)
        reason = _difference(tokenizer)
        if reason is None:
            return _keras(tokenizer).preset_files()
    except NpbertError as error:
        reason = error.what
    warn_caller(f"{directory}: Keras Hub gets no tokenizer, for {reason}")
    return {}


def _keras(tokenizer: HuggingFaceTokenizer) -> BertTokenizer:
    library: Any = tokenizer.library
    normalizer = library.normalizer
    strip = normalizer.strip_accents
    return BertTokenizer(
        [library.id_to_token(id) for id in range(tokenizer.vocabulary_size())],
        lowercase=normalizer.lowercase,
        strip_accents=normalizer.lowercase if strip is None else strip,
        split_on_cjk=normalizer.handle_chinese_chars,
        special_tokens_in_strings=True,  # as every Hugging Face tokenizer does
    )


def _difference(tokenizer: HuggingFaceTokenizer) -> str | None:
    """What Keras Hub's tokenizer has no option for."""
    from tokenizers import models, normalizers, pre_tokenizers

    library: Any = tokenizer.library
    kinds = (models.WordPiece, normalizers.BertNormalizer, pre_tokenizers.BertPreTokenizer)
    for part, kind in zip((library.model, library.normalizer, library.pre_tokenizer), kinds):
        if not isinstance(part, kind):
            return f"it has a {type(part).__name__}, not a {kind.__name__}"
    if library.model.continuing_subword_prefix != "##":
        return f"its suffixes begin with {library.model.continuing_subword_prefix!r}, not '##'"
    roles = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    ids = (*roles, tokenizer.mask_token_id, tokenizer.unk_token_id)
    if ids != tuple(map(library.token_to_id, _SPECIAL)):
        return f"its special tokens are not {', '.join(_SPECIAL)}"
    added = {token.content for token in library.get_added_tokens_decoder().values()}
    if more := sorted(added - set(_SPECIAL)):
        return f"it keeps other tokens whole: {', '.join(more)[:80]}"
    return None
