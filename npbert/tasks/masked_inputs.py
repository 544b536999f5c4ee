"""What a `BertMaskedLM` is called with, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.engine.inputs import NAMES, Inputs, check_inputs, check_positions
from npbert.errors import InputError

POSITIONS: Final = "mask_positions"


def check_masked_inputs(inputs: object, config: BertConfig) -> tuple[Inputs, NDArray[np.intp]]:
    """The batch of a `BertBackbone`, and the columns asked for, (B, M).

    Raises:
        InputError, InputTypeError: what is wrong with ``inputs``, and how to mend it.
    """
    if not isinstance(inputs, Mapping) or POSITIONS not in inputs:
        received = ", ".join(map(str, inputs)) if isinstance(inputs, Mapping) else type(inputs)
        raise InputError(
            f"the model takes a dictionary with {POSITIONS}.",
            received=received,
            expected=", ".join((*NAMES, POSITIONS)),
            fix=f"{POSITIONS} (B, M) are the columns to predict",
        )
    others = {name: value for name, value in inputs.items() if name != POSITIONS}
    checked = check_inputs(others, config)
    return checked, check_positions(inputs[POSITIONS], checked)
