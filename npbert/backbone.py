"""`BertBackbone`: Keras Hub's class over npbert's kernels.

Source: keras_hub/src/models/bert/bert_backbone.py and keras_hub/src/models/backbone.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert import dtype_policy, stages
from npbert.caller import warn_caller
from npbert.config import KERAS_LAYER_NORM_EPSILON, BertConfig, unknown_name
from npbert.dtype_policy import DTypePolicy, numpy_dtype
from npbert.engine.inputs import check_inputs, check_kept, check_segments, check_sequences
from npbert.engine.packed import random_weights
from npbert.engine.run import Engine
from npbert.engine.threads import thread_count
from npbert.errors import ConfigError, InputTypeError
from npbert.ops.token_embedding import TokenEmbedding
from npbert.progress import progress
from npbert.simd.precision import Precision
from npbert.stages import Cache, Names
from npbert.weights.checks import collect_given
from npbert.weights.dtypes import rounded
from npbert.weights.names import weight_shapes

if TYPE_CHECKING:
    from npbert.presets import Preset
    from npbert.presets.savable import Model

Array = NDArray[Any]
_KERAS_FIELDS = (
    *("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim"),
    *("dropout", "max_sequence_length", "num_segments"),
)


class _Presets:
    """``BertBackbone.presets``: the built-in presets, laid out as in Keras Hub."""

    def __get__(self, instance: object, owner: type) -> dict[str, dict[str, Any]]:
        from npbert.presets import keras_presets

        return keras_presets()


class Backbone:
    """The base of all backbones; ``from_preset`` finds the class that a preset needs.

    There is one today, `BertBackbone`.
    """

    presets = _Presets()

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        load_weights: bool = True,
        *,
        trust: bool = True,
        num_threads: int | None = None,
        dtype: object = None,
        name: str | None = None,
        **overrides: Any,
    ) -> BertBackbone:
        """Load a model.

        Args:
            preset: one of ``BertBackbone.presets``; ``kaggle://ORG/MODEL/keras/VARIANT`` or
                ``hf://ORG/MODEL``; the name of an installed model package
                (``"all-MiniLM-L6-v2"``); a directory that Keras Hub's ``save_to_preset`` or
                Hugging Face's ``save_pretrained`` wrote; or a ``.keras`` archive.
            load_weights: False gives the architecture with fresh random weights.
            trust: False for files from an unknown source: HDF5, which C code reads, is then read by
                another process, with limits of time and memory. Only the time it takes differs.
            num_threads, name: as in `BertBackbone`.
            dtype: as in `BertBackbone`; without it, and without a global default that was set, a
                Keras preset has the policy that it was saved with, and all others have float32.
            **overrides: config fields to replace, for instance ``activation="gelu_approximate"``.

        Raises:
            ModelFileError, ConfigError, WeightError, UnsupportedModelError, UnsafeModelError: the
                message says what is wrong, where, and what to do. Nothing is half-loaded.
        """
        from npbert.presets import load_preset

        loaded = load_preset(
            preset, load_weights=load_weights, overrides=overrides, trust=trust, dtype=dtype
        )
        return BertBackbone._from_loaded(loaded, num_threads=num_threads, name=name)


class BertBackbone(Backbone):
    """BERT's encoder: token ids in, one vector a token and one a text out.

    Args:
        vocabulary_size: V.
        num_layers: L.
        num_heads: N, a divisor of ``hidden_dim``.
        hidden_dim: D.
        intermediate_dim: F.
        dropout: the training rate; above 0 or not decides how a fully masked row is treated.
        max_sequence_length: P.
        num_segments: S.
        dtype: the policy: ``"float32"``, ``"float64"``, ``"float16"``, ``"bfloat16"``,
            ``"mixed_float16"``, ``"mixed_bfloat16"``, ``"float16_from_float32"``,
            ``"bfloat16_from_float32"`` (see `npbert.dtype_policy`), or what Keras has for one. None
            is `npbert.config.dtype_policy`, float32 unless another was set.
        activation: ``"gelu_approximate"`` (Keras Hub's tanh) or ``"gelu"`` (erf).
        layer_norm_epsilon: added to every variance.
        seed: of the random initial weights; None draws new ones each time.
        num_threads: None means every CPU this process may use (see `npbert info`).
        name: what ``get_config`` and ``summary`` call it.

    Raises:
        ConfigError: an argument is out of range, or contradicts another.

    Example:
        >>> model = BertBackbone(30552, 4, 12, 768, 3072)
        >>> outputs = model({"token_ids": ids, "segment_ids": zeros, "padding_mask": ones})
        >>> outputs["sequence_output"].shape, outputs["pooled_output"].shape
        ((1, 12, 768), (1, 768))
    """

    cls_token_index = 0
    trainable = True

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        dropout: float = 0.1,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        dtype: object = None,
        *,
        activation: str = "gelu_approximate",
        layer_norm_epsilon: float = KERAS_LAYER_NORM_EPSILON,
        seed: int | None = None,
        num_threads: int | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        _refuse_unknown(unknown)
        config = BertConfig(
            vocabulary_size=vocabulary_size,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            intermediate_dim=intermediate_dim,
            dropout=dropout,
            max_sequence_length=max_sequence_length,
            num_segments=num_segments,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
        )
        check_seed(seed)
        policy = dtype_policy.get(dtype)
        weights = _fresh(config, policy, seed)
        self._set_up(config, weights, policy, num_threads=num_threads, name=name)

    def _set_up(
        self,
        config: BertConfig,
        weights: dict[str, Array],
        policy: DTypePolicy,
        *,
        num_threads: int | None = None,
        name: str | None = None,
        path: Path | None = None,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise ConfigError("name must be a str.", received=repr(name))
        _check_range(weights, policy)
        self.config = config
        self.name = name or "bert_backbone"
        self.path = path
        threads, self.num_threads_reason = thread_count(num_threads)
        self._engine = Engine(config, weights, threads, policy)

    @classmethod
    def from_weights(
        cls,
        config: BertConfig,
        weights: Mapping[str, ArrayLike],
        *,
        num_threads: int | None = None,
        dtype: object = None,
        name: str | None = None,
    ) -> BertBackbone:
        """A model of tensors that are already in memory.

        Args:
            config: the model's.
            weights: Keras Hub's variable paths (`weights` yields them) -> arrays, copied in the
                policy's variable dtype; ``pooled_dense`` may be absent.
            num_threads, dtype, name: as in the constructor.

        Raises:
            WeightError: a tensor is missing, extra, not finite, too large for the dtype, or of
                another shape than the config implies.
        """
        if not isinstance(config, BertConfig) or not isinstance(weights, Mapping):
            raise InputTypeError(
                "from_weights takes a BertConfig and a dictionary of arrays.",
                received=f"{type(config).__name__}, {type(weights).__name__}",
            )
        shapes = weight_shapes(config, pooler="pooled_dense/kernel" in weights)
        policy = dtype_policy.get(dtype)
        copies = collect_given(shapes, weights, policy.variable_dtype)
        model = BertBackbone.__new__(BertBackbone)
        model._set_up(config, copies, policy, num_threads=num_threads, name=name)
        return model

    @classmethod
    def _from_loaded(cls, loaded: Preset, **settings: Any) -> BertBackbone:
        weights, policy = loaded.weights, loaded.policy
        if weights is None:
            weights = _fresh(loaded.config, policy, None)
        model = BertBackbone.__new__(BertBackbone)
        model._set_up(loaded.config, weights, policy, path=loaded.path, **settings)
        return model

    # -- running ---------------------------------------------------------------------------------

    @overload
    def __call__(
        self, inputs: Mapping[str, ArrayLike], skip_padding: bool = False
    ) -> dict[str, Array]: ...

    @overload
    def __call__(
        self,
        inputs: Mapping[str, ArrayLike],
        skip_padding: bool = False,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> dict[str, Any]: ...

    def __call__(
        self,
        inputs: Mapping[str, ArrayLike],
        skip_padding: bool = False,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> dict[str, Any]:
        """Run the encoder.

        Args:
            inputs: ``token_ids``, ``segment_ids`` and ``padding_mask``, integer arrays (B, T) of
                NumPy or of anything that NumPy can read (PyTorch, TensorFlow, JAX, lists). A
                ``padding_mask`` of 0 keeps a token from being looked at; anything else lets it.
            skip_padding: compute kept tokens only. They get the same bits; ``sequence_output`` is 0
                at the others.
            output_hidden_states: return ``hidden_states`` too, as transformers does: a tuple of the
                embeddings and each layer's output, L + 1 arrays (B, T, D).
            output_attentions: return ``attentions`` too: the probabilities of each layer, a tuple
                of L arrays (B, N, T, T).

        Returns:
            ``sequence_output`` (B, T, D) and ``pooled_output`` (B, D), in the policy's compute
            dtype; the second is absent when the model was loaded from files without a pooler.

        Raises:
            InputError, InputTypeError: what is wrong with ``inputs``, and how to mend it.
        """
        checked = check_inputs(inputs, self.config)
        B, T = checked.token_ids.shape
        outputs = self._engine.empty_outputs(B, T)
        if B:
            self._engine.fill(outputs, checked, skip_padding=skip_padding)
        if not (output_hidden_states or output_attentions):
            return outputs
        layers = [f"layer.{i}" for i in range(self.config.num_layers)]
        hidden = ["embeddings.layer_norm", *(f"{layer}.output_layer_norm" for layer in layers)]
        probs = [f"{layer}.probs" for layer in layers]
        seen = self._engine.stages(checked, {*hidden, *probs})
        more: dict[str, Any] = dict(outputs)
        if output_hidden_states:
            more["hidden_states"] = tuple(seen[name] for name in hidden)
        if output_attentions:
            more["attentions"] = tuple(seen[name] for name in probs)
        return more

    def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        batch_size: int = 32,
        *,
        show_progress_bar: bool | None = None,
        skip_padding: bool = False,
    ) -> dict[str, Array]:
        """Run the encoder over many sequences, ``batch_size`` at a time.

        Args:
            inputs, skip_padding: as in a call. Everything is checked before anything is computed.
            batch_size: sequences in one step; the results do not depend on it.
            show_progress_bar: None shows one on a terminal, when the work takes over a second.

        Returns:
            What one call with all of ``inputs`` returns, to the bit.
        """
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise ConfigError(
                "batch_size must be a positive int.", received=f"{batch_size!r}", fix="try 32"
            )
        checked = check_inputs(inputs, self.config)
        B, T = checked.token_ids.shape
        outputs = self._engine.empty_outputs(B, T)
        with progress("npbert", B, show_progress_bar) as advance:
            for start in range(0, B, batch_size):
                part = slice(start, start + batch_size)
                views = {name: value[part] for name, value in outputs.items()}
                self._engine.fill(views, checked.part(part), skip_padding=skip_padding)
                advance(min(batch_size, B - start))
        return outputs

    def encode_ragged(
        self,
        sequences: Sequence[NDArray[np.integer[Any]]],
        segment_ids: Sequence[NDArray[np.integer[Any]]] | None = None,
        padding_mask: Sequence[ArrayLike] | None = None,
    ) -> tuple[Array, NDArray[np.int64]]:
        """Run sequences of token ids that were never padded.

        Args:
            sequences: token ids, an array for each.
            segment_ids: arrays of the same lengths; None means 0 everywhere.
            padding_mask: as in a call, arrays of the same lengths; None keeps every token.

        Returns:
            (R, padded D) rows, sequence after sequence, and (B + 1,) where each begins. D is padded
            to whole vectors, for `npbert.ops.pooling`'s kernels. A policy of 16 bits has rows of
            float32 with values of 16 bits.
        """
        ids = check_sequences(sequences, self.config)
        segments = None if segment_ids is None else check_segments(segment_ids, ids, self.config)
        kept = None if padding_mask is None else check_kept(padding_mask, ids)
        return self._engine.rows(ids, segments, kept)

    def pool_ragged(self, rows: Array, starts: NDArray[np.int64]) -> Array:
        """``pooled_output`` of the sequences that `encode_ragged` ran: (B, padded D).

        Raises:
            ConfigError: as for `require_pooler`.
        """
        self.require_pooler()
        return self._engine.pooled(rows, starts)

    def require_pooler(self) -> None:
        """Refuse a model without a pooler.

        Raises:
            ConfigError: as it says.
        """
        if self._engine.weights.pooler is None:
            raise ConfigError(
                "the model has no pooler, and so no vector of a whole text.",
                where=self.path,
                expected="pooler.dense.weight and pooler.dense.bias among its weights",
                fix="take a model that was trained with its pooler, as classifiers are",
            )

    def run_with_cache(
        self, inputs: Mapping[str, ArrayLike], names_filter: Names = None
    ) -> tuple[dict[str, Array], Cache]:
        """Run the encoder and keep its stages: (outputs, {stage name: value}).

        Args:
            inputs: as in a call.
            names_filter: which stages to keep: a name or several, also those of other libraries
                (see `npbert.stages`), or a function that says yes to a name; None keeps all.

        Returns:
            The outputs of a call, to the bit, and the stages, whose names are those of
            `npbert.reference`. The cache answers to other libraries' names too.

        Raises:
            ConfigError: the model has no stage of a name. InputError, InputTypeError: as in a call.
        """
        wanted = stages.choose(names_filter, self._stage_names())
        checked = check_inputs(inputs, self.config)
        return self(inputs), Cache(self._engine.stages(checked, wanted))

    def run_with_hooks(
        self, inputs: Mapping[str, ArrayLike], hooks: Mapping[str, Callable[[Array], Any]]
    ) -> dict[str, Array]:
        """Run the encoder, and let functions look at stages or replace them.

        Args:
            inputs: as in a call.
            hooks: stage name, as in `run_with_cache`, -> a function of the stage's value, in the
                shape that the cache gives it. What it returns takes the stage's place, and all that
                follows is computed from it; None leaves the stage as it is.

        Returns:
            The outputs, as of a call. Hooks that return None change no bit of them.

        Raises:
            ConfigError, InputError, InputTypeError: as in `run_with_cache`; a hook returns another
                shape.

        Example:
            >>> model.run_with_hooks(inputs, {"layer.0.probs": lambda p: np.full_like(p, 0.1)})
        """
        known = self._stage_names()
        named = {stages.checked(name, known): hook for name, hook in hooks.items()}
        checked = check_inputs(inputs, self.config)
        return self._engine.stages(checked, stages.OUTPUTS, named)

    def _stage_names(self) -> list[str]:
        return stages.names(self.config, pooler=self._engine.weights.pooler is not None)

    def prepare(self) -> None:
        """Compile or load the kernels now rather than in the first call."""
        self._engine.prepare()

    @property
    def num_threads(self) -> int:
        """How many threads a call uses at most; ``num_threads_reason`` says why."""
        return self._engine.num_threads

    @property
    def dtype_policy(self) -> DTypePolicy:
        """What the model keeps its weights in, and what it computes in."""
        return self._engine.policy

    @property
    def compute_dtype(self) -> str:
        """What activations are rounded to, and what outputs come in."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """What the weights are kept in; Keras calls it ``dtype`` too."""
        return self.dtype_policy.variable_dtype

    dtype = variable_dtype

    @property
    def precision(self) -> Precision:
        """What the kernels compute in, and `encode_ragged`'s rows are of."""
        return self._engine.weights.precision

    # -- weights and config ----------------------------------------------------------------------

    @property
    def token_embedding(self) -> TokenEmbedding:
        """The token table as a layer: ids to vectors, or in reverse vectors to logits."""
        weights, D = self._engine.weights, self.config.hidden_dim
        variable = weights.variable("token_embedding/embeddings")
        return TokenEmbedding(weights.tables["token"], D, weights.precision, variable)

    def weights(self) -> Iterator[tuple[str, Array]]:
        """(Keras Hub's variable path, a copy of the tensor in its own dtype), in Keras's order."""
        return self._engine.weights.unpack()

    def count_params(self) -> int:
        """How many numbers the weights are."""
        shapes = weight_shapes(self.config, pooler=self._engine.weights.pooler is not None)
        return sum(int(np.prod(shape)) for shape in shapes.values())

    def get_config(self) -> dict[str, Any]:
        """Keras Hub's keys in its order; ours only where they differ from what Keras fixes."""
        from npbert.presets.save import keras_settings

        ours: dict[str, Any] = {}
        if self.config.activation != "gelu_approximate":
            ours["activation"] = self.config.activation
        if self.config.layer_norm_epsilon != KERAS_LAYER_NORM_EPSILON:
            ours["layer_norm_epsilon"] = self.config.layer_norm_epsilon
        return {**keras_settings(self.config, self.name, self.dtype_policy.name), **ours}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A model with fresh weights from what ``get_config`` returned."""
        if not isinstance(config, Mapping):
            raise ConfigError(
                "from_config takes a dictionary.",
                received=type(config).__name__,
                expected="what get_config returned",
            )
        missing = [name for name in _KERAS_FIELDS[:5] if name not in config]
        if missing:
            raise ConfigError(
                f"the config lacks {', '.join(missing)}.",
                where="from_config(...)",
                expected="what get_config returned",
            )
        return cls(**{name: value for name, value in config.items() if name != "trainable"})

    # -- saving and loading ----------------------------------------------------------------------

    def save_to_preset(
        self,
        preset_dir: str | os.PathLike[str],
        max_shard_size: float | None = 10,
        *,
        dtype: str | None = None,
        allow_lossy: bool = False,
    ) -> None:
        """Write a directory that ``from_preset`` loads, Keras Hub's too.

        All files are written before the first takes its name; what was there before stays until
        then, and after an error.

        Args:
            preset_dir: made if there is none. Other files in it stay.
            max_shard_size: GiB; a larger model's weights are written as several files.
            dtype: of the numbers in the files, ``"float32"``, ``"float64"``, ``"float16"`` or
                ``"bfloat16"``, rounded to the nearest; None is what the model keeps them in.
            allow_lossy: Keras Hub's format holds no erf GELU and no epsilon other than 1e-12. True
                saves such a model all the same: with a warning, and a note in metadata.json.

        Raises:
            ConfigError: the format cannot hold the model, or the files could not be written.
            WeightError: a value is too large for ``dtype``.
        """
        from npbert.presets.save import save_preset

        save_preset(
            Path(preset_dir),
            self._to_save(),
            dtype=dtype,
            max_shard_size=max_shard_size,
            allow_lossy=allow_lossy,
        )

    def save(
        self,
        filepath: str | os.PathLike[str],
        *,
        dtype: str | None = None,
        allow_lossy: bool = False,
    ) -> None:
        """Write a ``.keras`` archive, which ``keras.saving.load_model`` loads.

        Args and errors are those of `save_to_preset`.
        """
        from npbert.presets.save import save_archive

        save_archive(Path(filepath), self._to_save(), dtype=dtype, allow_lossy=allow_lossy)

    def save_weights(
        self,
        filepath: str | os.PathLike[str],
        max_shard_size: float | None = None,
        *,
        dtype: str | None = None,
    ) -> None:
        """Write the weights alone, as Keras does.

        Args:
            filepath: ends in ``.weights.h5``; with a ``max_shard_size`` in ``.weights.json``.
            max_shard_size: GiB in one file, or None for a single one.
            dtype: as in `save_to_preset`.

        Raises:
            ConfigError: another ending, or the files could not be written.
            WeightError: a value is too large for ``dtype``.
        """
        from npbert.presets.save import save_weights

        model = self._to_save()
        save_weights(Path(filepath), model, dtype=dtype, max_shard_size=max_shard_size)

    def load_weights(
        self,
        filepath: str | os.PathLike[str],
        skip_mismatch: bool = False,
        *,
        trust: bool = True,
    ) -> None:
        """Take the weights in a file that Keras or npbert wrote, all of them or none.

        Args:
            filepath: ``.weights.h5``, ``.weights.json`` beside its shards, ``.keras``, or the
                ``.h5`` of older Keras.
            skip_mismatch: keep this model's own tensor wherever the file has none of its shape, and
                warn of each.
            trust: as in `from_preset`.

        Raises:
            ModelFileError, UnsafeModelError, UnsupportedModelError, WeightError: the model is then
                as it was.
        """
        from npbert.weights.load_file import load_file

        path = Path(filepath)
        if skip_mismatch:
            weights = self._matching(path, trust)
        else:
            weights = load_file(path, self.config, trust=trust, dtype=self.variable_dtype)
        _check_range(weights, self.dtype_policy)
        self._engine = Engine(self.config, weights, self.num_threads, self.dtype_policy)

    def _matching(self, path: Path, trust: bool) -> dict[str, Array]:
        """What fits of the file, and this model's own tensors for the rest."""
        from npbert.weights.load_file import load_matching

        dtype = self.variable_dtype
        loaded, skipped = load_matching(path, self.config, trust=trust, dtype=dtype)
        for tensor, reason in skipped.items():
            warn_caller(f"{tensor} is not loaded from {path}: {reason}")
        both = dict(self.weights()) | loaded
        pooler = {"pooled_dense/kernel", "pooled_dense/bias"} <= both.keys()
        return {name: both[name] for name in weight_shapes(self.config, pooler=pooler)}

    def export_to_transformers(
        self, path: str | os.PathLike[str], *, dtype: str | None = None
    ) -> None:
        """Write config.json and model.safetensors, which transformers loads; holds every model.

        Args and errors are those of `save_to_preset`.
        """
        from npbert.presets.save_hugging_face import save_hugging_face

        save_hugging_face(Path(path), self._to_save(), dtype=dtype)

    def _to_save(self) -> Model:
        from npbert.presets.savable import Model

        pooler = self._engine.weights.pooler is not None
        return Model(self.config, self.weights(), pooler, self.name, self.dtype_policy)

    def summary(self) -> None:
        """Print the layers, their shapes and their parameters as a table."""
        from npbert.summary import print_summary

        shapes = weight_shapes(self.config, pooler=self._engine.weights.pooler is not None)
        print_summary(self.name, self.config, shapes)

    def __repr__(self) -> str:
        fields = ", ".join(f"{k}={v!r}" for k, v in self.config.to_dict().items())
        return f"BertBackbone({fields})"

    if TYPE_CHECKING:
        vocabulary_size: int
        num_layers: int
        num_heads: int
        hidden_dim: int
        intermediate_dim: int
        dropout: float
        max_sequence_length: int
        num_segments: int
        activation: str
        layer_norm_epsilon: float
    else:

        def __getattr__(self, name: str) -> Any:
            if name in BertConfig.__dataclass_fields__:
                return getattr(self.config, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _refuse_unknown(unknown: Mapping[str, object]) -> None:
    valid = [*_KERAS_FIELDS, "dtype", "activation", "layer_norm_epsilon", "seed", "num_threads"]
    for name in unknown:
        raise unknown_name("argument", name, [*valid, "name"], where="BertBackbone(...)")


def check_seed(seed: object) -> None:
    whole = isinstance(seed, int) and not isinstance(seed, bool)
    if seed is not None and not (whole and seed >= 0):  # type: ignore[operator]
        raise ConfigError(
            "seed must be None or an int of 0 or more.", where="seed", received=repr(seed)
        )


def _check_range(weights: Mapping[str, Array], policy: DTypePolicy) -> None:
    """Refuse what a mixed policy could not use: it keeps more than it rounds to."""
    if policy.compute_dtype != policy.variable_dtype == "float32":
        for name, tensor in weights.items():
            rounded(tensor, policy.compute_dtype, name)


def _fresh(config: BertConfig, policy: DTypePolicy, seed: int | None) -> dict[str, Array]:
    """Random weights in the policy's variable dtype."""
    return random_weights(weight_shapes(config), seed, numpy_dtype(policy.variable_dtype))
