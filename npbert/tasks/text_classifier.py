"""`BertTextClassifier`: texts, or pairs of them, to classes.

Source: keras_hub/src/models/bert/bert_text_classifier.py; for ``rank``,
sentence_transformers CrossEncoder; for ``classify``, transformers TextClassificationPipeline.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from npbert.backbone import BertBackbone
from npbert.engine.inputs import NAMES, check_inputs
from npbert.errors import ConfigError
from npbert.ops.heads import ACTIVATION_KERNELS, ClassifierHead, activated
from npbert.ops.types import Array
from npbert.simd.kernel import Kernel, PlainKernel
from npbert.tasks import classifier_options as options
from npbert.tasks.batching import check_count
from npbert.tasks.keywords import known_keywords
from npbert.tasks.loading import SAVED, open_preset, reader
from npbert.tasks.pairs import texts_and_pairs
from npbert.tasks.saved_classifier import saved_classifier
from npbert.tasks.scores import by_name, ranked
from npbert.tasks.task import Reader, Task
from npbert.tasks.texts import checked, texts_of
from npbert.text.checks import Text
from npbert.text.preprocessors import BertTextClassifierPreprocessor
from npbert.weights.heads import classifier_tensors
from npbert.weights.names import Tensor

_TITLE = "Classifying"


class BertTextClassifier(Task):
    """A BERT with a dense layer on the vector of each text: one number for every class.

    A text's numbers are the same to the last bit whatever other texts are around it, in any order,
    with any ``batch_size`` and any number of threads.

    Args:
        backbone: a `BertBackbone` with its pooler. The head is random until weights are loaded.
        num_classes: C.
        preprocessor: makes token ids of texts; None takes token ids only.
        activation: what follows the logits: None or ``"linear"`` for nothing, ``"softmax"``,
            ``"sigmoid"`` or ``"tanh"``.
        dropout: the training rate, which is kept for Keras and changes nothing here.
        labels: the name of each class.
        problem_type: ``"single_label_classification"``, ``"multi_label_classification"`` or
            ``"regression"``: how ``classify`` reads logits.
        seed: of the random head.
        name: what ``get_config`` calls it.

    Raises:
        ConfigError: an argument is out of range, or the backbone has no pooler.

    Example:
        >>> classifier = BertTextClassifier.from_preset("bert_tiny_en_uncased_sst2")
        >>> classifier.predict(["A joy to watch.", "I left after an hour."]).shape
        (2, 2)
    """

    _CLASS: ClassVar = "BertTextClassifier"
    _MODULE: ClassVar = "bert_text_classifier"
    _GROUPS: ClassVar = {"/layers/dropout": "classifier_dropout"}
    _PREPROCESSOR: ClassVar = BertTextClassifierPreprocessor

    @known_keywords()
    def __init__(
        self,
        backbone: BertBackbone,
        num_classes: int,
        preprocessor: Reader | None = None,
        activation: str | None = None,
        dropout: float = 0.1,
        *,
        labels: Sequence[str] | None = None,
        problem_type: str | None = None,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        self.num_classes = check_count("num_classes", num_classes)
        self.activation = options.activation(activation)
        self.dropout = options.dropout(dropout)
        self.labels = options.labels(labels, num_classes)
        self.problem_type = options.problem_type(problem_type)
        super().__init__(backbone, preprocessor, name, seed)

    @classmethod
    @known_keywords()
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        load_weights: bool = True,
        *,
        num_classes: int | None = None,
        preprocessor: Reader | Literal["saved"] | None = SAVED,
        activation: str | None = None,
        max_seq_length: int | None = None,
        seed: int | None = None,
        trust: bool = True,
        num_threads: int | None = None,
        dtype: object = None,
        name: str | None = None,
    ) -> Self:
        """A classifier with its head.

        Args:
            preset: as for `BertBackbone.from_preset`: of Keras Hub, with ``task.json`` and
                ``task.weights.h5``, or a ``.keras`` archive; or of Hugging Face, as
                ``BertForSequenceClassification`` and sentence-transformers' ``CrossEncoder`` save
                it.
            load_weights: False gives a backbone and a head with random weights.
            num_classes: for a preset without a head, the size of one with random weights. For
                another than the preset's head has, it is an error: Keras Hub drops that head.
            preprocessor: replaces the model's own; None takes token ids only.
            activation: replaces the head's own. A Hugging Face head of one class has a sigmoid
                unless its files say something else, as in sentence-transformers.
            max_seq_length: replaces the model's limit on tokens.
            seed: of random weights of the head.
            trust, num_threads, dtype: as in `BertBackbone`.
            name: what ``get_config`` calls the task.

        Raises:
            ModelFileError, ConfigError, WeightError, UnsupportedModelError, UnsafeModelError: the
                message says what is wrong, where, and what to do. Nothing is half-loaded.
        """
        source, backbone = open_preset(
            preset, load_weights=load_weights, trust=trust, num_threads=num_threads, dtype=dtype
        )
        found = saved_classifier(source, backbone.config, num_classes, activation)
        read = reader(source, backbone, preprocessor, cls._PREPROCESSOR, found.task, max_seq_length)
        named = {} if name is None else {"name": name}
        made = cls(backbone, preprocessor=read, **{**found.settings, "seed": seed, **named})
        if found.weights is not None:
            made._take_head(found.weights)
        return made

    def _head_tensors(self) -> list[Tensor]:
        self.backbone.require_pooler()
        return classifier_tensors(self.backbone.config, self.num_classes)

    def _take_head(self, weights: dict[str, Array]) -> None:
        super()._take_head(weights)
        kernel, bias = weights["logits/kernel"], weights["logits/bias"]
        self._head = ClassifierHead(kernel, bias, self.activation, self.backbone.precision)

    def _kernels(self) -> tuple[Kernel | PlainKernel, ...]:
        return (*ClassifierHead.kernels, *(kernel.plain for kernel in ACTIVATION_KERNELS))

    def _own_config(self) -> dict[str, Any]:
        return {
            "num_classes": self.num_classes,
            "activation": self.activation,
            "dropout": self.dropout,
        }

    # -- running ---------------------------------------------------------------------------------

    def __call__(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """Run on token ids.

        Args:
            inputs: as for a call of `BertBackbone`: three arrays (B, T).

        Returns:
            (B, C), in the backbone's compute dtype: logits, or what the activation makes of them.

        Raises:
            InputError, InputTypeError: what is wrong with ``inputs``, and how to mend it.
        """
        pooled = self.backbone(inputs, skip_padding=True)["pooled_output"]
        return self._returned(self._head(self._widened(pooled)))

    @known_keywords()
    def predict(
        self, x: object, batch_size: int = 32, *, show_progress_bar: bool | None = None
    ) -> Array:
        """Run on texts, on pairs, or on many token ids.

        Texts longer than the limit lose their end; one warning counts them.

        Args:
            x: a str; a tuple of two, which is a pair; a list of texts, of pairs, or of both; a
                tuple of two lists, the first and the second segments of pairs; or the dictionary
                that a call takes.
            batch_size: texts in one step at most. The numbers do not depend on it.
            show_progress_bar: None shows one on a terminal, when the work takes over a second.

        Returns:
            (B, C), in the backbone's compute dtype; (C,) for a single text or pair.

        Raises:
            InputError, InputTypeError: what is wrong with ``x``; the message has the index.
            ConfigError: texts, and no preprocessor; or a ``batch_size`` that is no positive int.
        """
        check_count("batch_size", batch_size)
        if isinstance(x, Mapping):
            return self._predict_ids(x, batch_size, show_progress_bar)
        texts, single = texts_and_pairs(x)
        out = self._predict_texts(texts, batch_size, show_progress_bar)
        return out[0] if single else out

    def _predict_ids(self, inputs: Mapping[str, Any], batch_size: int, show: bool | None) -> Array:
        checked = check_inputs(inputs, self.backbone.config)

        def run(rows: slice) -> Array:
            return self(dict(zip(NAMES, checked.part(rows), strict=True)))

        return self._in_parts(len(checked.token_ids), run, _TITLE, batch_size, show)

    def _predict_texts(self, texts: list[Text], batch_size: int, show: bool | None) -> Array:
        encoded = self._encode(texts, self._reader())
        out = np.empty((len(texts), self.num_classes), self.backbone.precision.real)
        for batch, rows, starts in self._steps(encoded, _TITLE, batch_size, show):
            out[batch] = self._head(self.backbone.pool_ragged(rows, starts))
        return self._returned(out)

    @known_keywords()
    def classify(
        self,
        x: object,
        top_k: int | None = None,
        batch_size: int = 32,
        *,
        show_progress_bar: bool | None = None,
    ) -> Any:
        """The classes of texts by name, each with a score, the best one first.

        Logits become probabilities, as ``problem_type`` asks: by a softmax over the classes; by a
        sigmoid where there is one class, or they do not exclude each other. A regression's numbers
        are those of `predict`, and so are those of a head with an activation.

        Args:
            x, batch_size, show_progress_bar: as in `predict`.
            top_k: how many classes; None for all.

        Returns:
            ``[{"label": ..., "score": ...}, ...]``, a list of such lists for several texts.

        Raises:
            InputError, InputTypeError, ConfigError: as for `predict`.
        """
        count = self.num_classes if top_k is None else check_count("top_k", top_k)
        scores = self.predict(x, batch_size, show_progress_bar=show_progress_bar)
        reading = options.reading(self.activation, self.problem_type, self.num_classes)
        labels = self.labels or [f"LABEL_{i}" for i in range(self.num_classes)]
        rows = activated(np.atleast_2d(scores), reading, self.backbone.precision.plain)
        named = by_name(rows.tolist(), labels, count)
        return named[0] if scores.ndim == 1 else named

    @known_keywords()
    def rank(
        self,
        query: str,
        documents: Iterable[str],
        top_k: int | None = None,
        return_documents: bool = False,
        batch_size: int = 32,
        *,
        show_progress_bar: bool | None = None,
    ) -> list[dict[str, Any]]:
        """Order documents by how well they answer a query, as a cross-encoder does.

        Args:
            query: one text, the first of every pair.
            documents: texts, the second.
            top_k: how many of the best to return; None for all.
            return_documents: with the text of each.
            batch_size, show_progress_bar: as in `predict`.

        Returns:
            ``[{"corpus_id": index in documents, "score": float, "text": ...}, ...]``, best first;
            documents of one score stay in their order.

        Raises:
            ConfigError: the head has more than one class, or ``top_k`` is no positive int.
            InputError, InputTypeError: a text is none; the message has the index.
        """
        if self.num_classes != 1:
            raise ConfigError(
                "documents are ranked by a head with one class.",
                where=self.backbone.path,
                received=f"{self.num_classes} classes",
                fix="use predict, and order by the class you want",
            )
        count = None if top_k is None else check_count("top_k", top_k)
        checked(query, "query")
        texts, _ = texts_of(documents)
        pairs = [(query, text) for text in texts]
        scores = self.predict(pairs, batch_size, show_progress_bar=show_progress_bar)
        listed = self._widened(scores)[:, 0].tolist()
        return ranked(listed, count, texts if return_documents else None)
