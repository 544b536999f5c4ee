"""What becomes of the model when one of its ops is a learner's."""

from __future__ import annotations

import numpy as np

from npbert.parity.replay import Replay
from npbert.teaching.cases import plain
from npbert.teaching.exercise import Exercise, Function
from npbert.teaching.toy_run import MASKED, encode, fill, run, tokenizer, toy_run

OUTPUT = "sequence_output"


def effect(exercise: Exercise, mine: Function) -> str | None:
    """In a sentence, what the toy says with this function; None where it never comes that far."""
    model = run(toy_run(exercise.activation).config, encode((MASKED,)))
    places = exercise.places(model.config)
    steps = {place.stage: place.step(lambda *x: plain(mine(*x))) for place in places}
    replay = Replay(model.steps, model.weights, model.inputs, {})
    if steps.keys().isdisjoint(replay.needed(OUTPUT)):
        return None
    try:
        made = replay.compute(OUTPUT, steps)
    except Exception:  # a learner's function, in a place where it was not tried
        return None
    if made is None or made.shape != model.stages[OUTPUT].shape:
        return None
    place = int(np.argmax(model.inputs["token_ids"][0] == tokenizer().mask_token_id))
    right, wrong = fill(model.stages[OUTPUT], place), fill(made, place)
    if right != wrong:
        return f'with yours, the toy BERT fills "{MASKED}" with "{wrong}", not "{right}"'
    apart = np.abs(made - model.stages[OUTPUT]).max()
    return f'the toy BERT still fills "{MASKED}" with "{right}"; its vectors move by {apart:.2g}'
