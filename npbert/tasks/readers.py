"""How a task's texts become token ids where the model is Hugging Face's.

A model of Keras Hub's has a preprocessor for it, which is a class that Keras Hub has too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npbert.config import BertConfig
from npbert.tasks.model_files import read_tokenizer
from npbert.text.checks import Text
from npbert.text.limits import Limit
from npbert.text.tokenizer import Encoded, Tokenizer


class TextReader:
    """A tokenizer, and how many tokens of a text are read.

    Args:
        tokenizer: the model's.
        limit: tokens, [CLS] and [SEP] included, and which file says so.
    """

    def __init__(self, tokenizer: Tokenizer, limit: Limit) -> None:
        self.tokenizer, self.limit = tokenizer, limit

    @classmethod
    def from_directory(
        cls, directory: Path, config: BertConfig, max_seq_length: int | None
    ) -> TextReader:
        """That of a Hugging Face directory.

        Args:
            directory: the model's.
            config: its backbone's.
            max_seq_length: replaces the limit that its files state.

        Raises:
            ModelFileError, ConfigError, UnsupportedModelError: see `read_tokenizer`.
        """
        return cls(*read_tokenizer(directory, "hugging_face", config, max_seq_length))

    @property
    def sequence_length(self) -> int:
        """The most tokens of a text that are read."""
        return self.limit.value

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """Token ids of texts and pairs, never padded."""
        return self.tokenizer.encode(texts, self.limit.value)
