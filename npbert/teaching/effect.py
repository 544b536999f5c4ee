"""What becomes of the model when one of its ops is a learner's."""

from __future__ import annotations

from typing import Any

import numpy as np

from npbert.ops.types import Array
from npbert.parity.replay import Replay
from npbert.teaching.calling import Trouble, call
from npbert.teaching.cases import checked
from npbert.teaching.exercise import Exercise, Function
from npbert.teaching.toy_run import MASKED, encode, fill, run, tokenizer, toy_run

OUTPUT = "sequence_output"


def effect(exercise: Exercise, mine: Function) -> str | None:
    """In a sentence, what the toy says with this function; None where it never comes that far."""
    model = run(toy_run().config, encode((MASKED,)))
    places = exercise.places(model.config)
    replay = Replay(model.steps, model.weights, model.inputs, {})
    if {place.stage for place in places}.isdisjoint(replay.needed(OUTPUT)):
        return None
    made = replay.compute(
        OUTPUT,
        {
            place.stage: place.step(_inside(exercise, mine, model.stages[place.stage]))
            for place in places
        },
    )
    if made is None:
        return None
    kept = model.inputs["padding_mask"] != 0
    if not np.isfinite(made[kept]).all():
        return f'with yours, the toy BERT fills "{MASKED}" with nothing: its vectors become NaN'
    place = int(np.argmax(model.inputs["token_ids"][0] == tokenizer().mask_token_id))
    right, wrong = fill(model.stages[OUTPUT], place), fill(made, place)
    if right != wrong:
        return f'with yours, the toy BERT fills "{MASKED}" with "{wrong}", not "{right}"'
    apart = np.abs(made - model.stages[OUTPUT])[kept].max()
    return f'the toy BERT still fills "{MASKED}" with "{right}"; its vectors move by {apart:.2g}'


def _inside(exercise: Exercise, mine: Function, right: Array) -> Function:
    """The learner's function as an op, which says by ValueError that it gives nothing to go on."""

    def op(*arguments: Any) -> Array:
        result = call(mine, exercise, arguments)
        array = result if isinstance(result, Trouble) else checked(result, right)
        if isinstance(array, Trouble) or array.shape != right.shape:
            raise ValueError(exercise.name)
        return np.asarray(array)

    return op
