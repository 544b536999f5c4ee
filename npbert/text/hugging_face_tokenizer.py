"""Texts to token ids by the rules of a Hugging Face directory, through the ``tokenizers`` library.

How long ``tokenizer.json`` would have every text is left over from training and ignored:
all-MiniLM-L6-v2's would cut it after 128 tokens and pad the shorter ones to 128, where the model
takes 256 and npbert computes no padding at all. Which end a long text loses is the file's to say.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from npbert.caller import warn_caller
from npbert.errors import (
    ConfigError,
    InputError,
    ModelFileError,
    NpbertError,
    UnsupportedModelError,
)
from npbert.text.checks import Text, check_id, check_text, chunks, no_such_id, parts_of
from npbert.text.hugging_face_files import (
    CONFIG,
    VOCABULARY,
    Rules,
    Settings,
    build,
    read_bytes,
    read_tokenizer_settings,
)
from npbert.text.tokenizer import Encoded, Ids, Token

FILE: Final = "tokenizer.json"

_USUAL: Final = {  # BERT's own names, and those of SentencePiece vocabularies
    "pad_token": ("[PAD]", "<pad>"),
    "mask_token": ("[MASK]", "<mask>"),
    "unk_token": ("[UNK]", "<unk>"),
}


class HuggingFaceTokenizer:
    """A `npbert.text.tokenizer.Tokenizer` in Hugging Face's format.

    Args:
        library: a ``tokenizers.Tokenizer``; its truncation and padding are switched off.
        names: ``pad_token``, ``mask_token`` and ``unk_token`` as the model's files name them; what
            they leave out is looked for under its usual names.
        truncation_side: the end that a long text loses, ``"left"`` or ``"right"``; None is what
            ``library`` says.
        where: the file it came from, for messages.

    Attributes:
        library: the ``tokenizers.Tokenizer``.

    Raises:
        UnsupportedModelError: it puts no special tokens around a text, which BERT needs.
    """

    def __init__(
        self,
        library: Any,
        *,
        names: Mapping[str, str] = MappingProxyType({}),
        truncation_side: str | None = None,
        where: object = None,
    ) -> None:
        truncation: dict[str, Any] | None = library.truncation
        self.baked_limit: int | None = truncation["max_length"] if truncation else None
        self._side: str = truncation_side or (truncation["direction"] if truncation else "right")
        library.no_truncation()
        library.no_padding()
        self.library, self._where = library, where
        self.num_special_tokens: int = library.num_special_tokens_to_add(False)
        if not self.num_special_tokens:
            raise _no_special_tokens(where)
        with _blamed(where):
            around: list[int] = library.encode("").ids
        self.cls_token_id, self.sep_token_id = around[0], around[-1]
        self.pad_token_id = self._special("pad_token", names) or 0
        self.mask_token_id = self._special("mask_token", names)
        self.unk_token_id = self._special("unk_token", names)

    @classmethod
    def from_directory(cls, directory: Path, *, lowercase: bool = False) -> HuggingFaceTokenizer:
        """The tokenizer in ``directory``; see `npbert.text.tokenizer.load_tokenizer`."""
        settings = read_tokenizer_settings(directory)
        path = directory / FILE
        if not path.exists() and (directory / VOCABULARY).exists():
            path = directory / VOCABULARY
            library = build(directory, settings)
        else:
            library = _load(path)
            _apply_rules(library, settings, path)
        if lowercase:
            _lowercase_first(library)
        side = settings.truncation_side
        return cls(library, names=settings.names, truncation_side=side, where=path)

    def vocabulary_size(self) -> int:
        """How many tokens there are; ids are below it, unless the file leaves some out."""
        return int(self.library.get_vocab_size())

    def encode(self, texts: Sequence[Text], max_length: int) -> Encoded:
        """Token ids of each text or pair; see `npbert.text.tokenizer.Tokenizer.encode`.

        A pair is cut as transformers does it by default, ``longest_first``.

        Raises:
            ModelFileError: besides, the model's file is damaged in a way that only a text shows.
        """
        encoded = Encoded([], [], np.empty(len(texts), np.int64))
        index = 0
        with _blamed(self._where):
            for start, stop in chunks(texts):
                for parts in self._parts(texts[start:stop]):
                    encoded.full_lengths[index] = self._cut(parts, max_length)
                    whole = self.library.post_process(*parts)
                    encoded.ids.append(np.array(whole.ids, np.int32))
                    encoded.segment_ids.append(_segment_ids(whole, len(parts)))
                    index += 1
        return encoded

    def tokens(self, text: Text, max_length: int | None = None) -> list[Token]:
        """The tokens of one text or pair, with their places in it; None does not cut it."""
        check_text(text)
        with _blamed(self._where):
            parts = [self.library.encode(part, add_special_tokens=False) for part in parts_of(text)]
        if max_length is not None:
            self._cut(parts, max_length)
        whole = self.library.post_process(*parts)
        columns = zip(
            *(whole.ids, whole.tokens, whole.offsets, whole.special_tokens_mask),
            *(whole.sequence_ids, whole.type_ids),
        )
        return [
            Token(id, token, start, end, bool(special), kind if part is None else part)
            for id, token, (start, end), special, part, kind in columns
        ]

    def token_to_id(self, token: str) -> int:
        """The id of a token.

        Raises:
            InputError: the vocabulary does not have it.
        """
        found: int | None = self.library.token_to_id(token)
        if found is None:
            raise InputError("the vocabulary has no such token.", received=f"{token!r:.80}")
        return found

    def id_to_token(self, id: int) -> str:
        """The token with an id.

        Raises:
            InputTypeError, InputError: it is no int, or there is no such id.
        """
        self._check_id(id)
        found: str | None = self.library.id_to_token(id)
        if found is None:
            raise no_such_id(id, self.vocabulary_size())
        return found

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The text of token ids, joined by the decoder of tokenizer.json.

        Raises:
            InputTypeError, InputError: an id is no int, or is negative; one too high is left out.
        """
        for id in ids:
            self._check_id(id)
        text: str = self.library.decode([*ids], skip_special_tokens=skip_special_tokens)
        return text

    def _check_id(self, id: int) -> None:
        """Refuse what the library would refuse in its own words."""
        check_id(id)
        if not 0 <= id < 2**32:
            raise no_such_id(id, self.vocabulary_size())

    def _parts(self, texts: Sequence[Text]) -> Iterator[list[Any]]:
        """Each text's encoding without special tokens; a pair's two."""
        flat = [part for text in texts for part in parts_of(text)]
        encodings = iter(self.library.encode_batch_fast(flat, add_special_tokens=False))
        for text in texts:
            yield [next(encodings) for _ in parts_of(text)]

    def _cut(self, parts: list[Any], max_length: int) -> int:
        """Cut the parts to what fits beside the special tokens; the length without the cut."""
        special: int = self.library.num_special_tokens_to_add(len(parts) > 1)
        room = max_length - special
        if room < 0:
            raise ConfigError(
                "max_length has no room for the special tokens.",
                received=max_length,
                expected=f"{special} or more",
            )
        lengths = [len(part) for part in parts]
        if sum(lengths) > room:
            for part, kept in zip(parts, longest_first(lengths, room)):
                part.truncate(kept, direction=self._side)
        return sum(lengths) + special

    def _special(self, role: str, names: Mapping[str, str]) -> int | None:
        stated = (names[role],) if role in names else _USUAL[role]
        ids = map(self.library.token_to_id, stated)
        return next((id for id in ids if id is not None), None)


def longest_first(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens of one text or two are kept when ``room`` is less than they have.

    The longer one loses tokens until both are as long, then each loses half; of an odd room the
    longer has the larger half. Source: tokenizers/src/utils/truncation.rs, ``truncate_encodings``.
    """
    if len(lengths) == 1:
        return [room]
    short = min(min(lengths), room // 2)
    kept = [short, room - short]
    return kept if lengths[0] <= lengths[1] else kept[::-1]


def _segment_ids(whole: Any, parts: int) -> Ids:
    """Of one text, all are 0."""
    return np.array(whole.type_ids, np.int32) if parts > 1 else np.zeros(len(whole), np.int32)


def _no_special_tokens(where: object) -> UnsupportedModelError:
    return UnsupportedModelError(
        "the tokenizer puts no [CLS] and [SEP] around a text, and BERT needs them.",
        where=where,
        expected="a post_processor in tokenizer.json",
        fix="save it again with transformers: AutoTokenizer.from_pretrained(...)"
        ".save_pretrained(...)",
    )


def _load(path: Path) -> Any:
    if not path.exists():
        raise ModelFileError(
            "the model has no tokenizer.json, so texts cannot become token ids.",
            where=path.parent,
            expected=f"{FILE}, or {VOCABULARY} and {CONFIG}",
            fix="AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers makes it",
        )
    import tokenizers

    with _blamed(path):
        return tokenizers.Tokenizer.from_buffer(read_bytes(path))


@contextmanager
def _blamed(where: object) -> Generator[None]:
    """What the library raises, as an error of the file: it has no classes of its own for errors,
    and a panic in it is not even an ``Exception``."""
    try:
        yield
    except (NpbertError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise ModelFileError(
            "not a tokenizer that the tokenizers library can read.",
            where=where,
            received=f"{error!s:.300}",
            fix="download the file again, or update tokenizers",
        ) from error


def _apply_rules(library: Any, settings: Settings, path: Path) -> None:
    """BertTokenizer follows tokenizer_config.json where tokenizer.json says something else."""
    from tokenizers.normalizers import BertNormalizer

    normalizer = library.normalizer
    if settings.rules is None or not isinstance(normalizer, BertNormalizer):
        return
    lowercase, strip = normalizer.lowercase, normalizer.strip_accents
    strip = lowercase if strip is None else strip
    stated = Rules(lowercase, strip, normalizer.handle_chinese_chars)
    if stated != settings.rules:
        warn_caller(
            f"{path} says {_rules_text(stated)}; {settings.where.name}, with its defaults, says"
            f" {_rules_text(settings.rules)}: going by the second, as transformers does"
        )
        library.normalizer = BertNormalizer(clean_text=True, **settings.rules._asdict())


def _rules_text(rules: Rules) -> str:
    return ", ".join(f"{name} {value}" for name, value in rules._asdict().items())


def _lowercase_first(library: Any) -> None:
    from tokenizers.normalizers import Lowercase, Sequence

    rest = [library.normalizer] if library.normalizer is not None else []
    library.normalizer = Sequence([Lowercase(), *rest])
