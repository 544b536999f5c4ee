"""The small language that the toy BERT learned: some sixty tokens, two senses of "bank".

A text is about water or about money. Animals and verbs agree in number ("the dog barks", "the dogs
bark"), and a second sentence stays with the first one's topic, so that who guesses a hidden word
has something to look at.
"""

from __future__ import annotations

import random
from typing import NamedTuple

VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "."),
    *("##s", "##ed", "##er", "##ing", "##bank"),
    *("the", "a", "she", "he", "they", "it", "is", "are", "and"),
    *("dog", "cat", "duck", "frog", "bark", "walk", "swim", "sleep"),
    *("sat", "put", "took", "saw", "pay"),
    *("in", "on", "by", "at", "from", "to", "of", "near"),
    *("bank", "river", "lake", "boat", "water", "grass", "wet", "deep", "green"),
    *("money", "coin", "gold", "shop", "rich", "open", "closed"),
    *("old", "small"),
)


class Text(NamedTuple):
    """One or two sentences; ``second`` is None for one."""

    first: str
    second: str | None
    topic: str


TOPICS = ("water", "money")

_WATER = (
    *("he sat on the bank of the river", "she sat on the river bank", "they sat on the riverbank"),
    *("the bank of the river is {wet}", "the river bank is {wet}", "the riverbank is {wet}"),
    *("the bank of the lake is {wet}", "the {body} is {deep}", "the grass on the bank is {wet}"),
    *("{who} sat in a boat on the {body}", "the boat is near the bank", "the old boat is by it"),
    *("{who} saw the {animal} by the {body}", "{who} saw the boats on the {body}"),
    *("{who} walked to the river bank", "the water of the {body} is {deep}"),
    *("the river bank", "the bank of the river", "the {deep} river", "the {body}"),
    "{many} {are} {by} {water}",
    "{many} {swim} {to} {water}",
    "{many} {sleep} {by} {water}",
    *["{many} {by} {water} {are} {wet}"] * 3,
)
_MONEY = (
    *("{who} put {money} in the bank", "{who} put {money} in the bank", "{who} {pay} the bank"),
    *("{who} took {money} from the bank", "{who} saw {money} at the shop", "the bank is {open}"),
    *("the banker is {rich}", "the banker put {money} in the bank", "{money} is in the bank"),
    *("the coins are in the bank", "the old shop is {open}", "the bank by the shop is {open}"),
    *("the bank is {rich}", "{who} walked to the bank and took {money}", "the small bank is rich"),
    *("the money", "the bank", "the {open} bank", "the {rich} banker", "the gold coins"),
    "{many} {are} at the bank and the bank is {open}",
    "{many} {are} at the shop",
    *["{many} by the shop {are} {old}"] * 3,
    "{many} by the shop {bark}",
    "{many} {bark} at the {shop}",
)
_LATER = {
    "water": ("it is {wet}", "it is by the river", "the bank is {wet}", "they are in the water"),
    "money": ("it is {open}", "it is rich", "the bank is {open}", "they are in the shop"),
}
_WORDS = {
    "who": ("she", "he", "they"),
    "body": ("river", "lake"),
    "wet": ("wet", "green"),
    "deep": ("deep", "wet", "green"),
    "open": ("open", "closed"),
    "rich": ("rich", "old"),
    "old": ("old", "small"),
    "animal": ("dog", "cat", "duck", "frog"),
    "by": ("by", "near", "in"),
    "to": ("to", "in", "near"),
    "water": ("the river", "the lake", "the water", "the river bank", "the bank of the river"),
    "money": ("money", "the money", "gold", "the coins", "a coin"),
    "shop": ("shop", "banker"),
}
_ONE = {"are": "is", "swim": "swims", "sleep": "sleeps", "bark": "barks"}


def texts(count: int, seed: int) -> list[Text]:
    """``count`` texts; about half of them have a second sentence."""
    rng = random.Random(seed)
    return [_text(rng) for _ in range(count)]


def _text(rng: random.Random) -> Text:
    topic = rng.choice(TOPICS)
    patterns = _WATER if topic == "water" else _MONEY
    second = rng.choice((*patterns, *_LATER[topic], *_LATER[topic], *_LATER[topic]))
    first = _sentence(rng, rng.choice(patterns))
    return Text(first, _sentence(rng, second) if rng.random() < 0.5 else None, topic)


def _sentence(rng: random.Random, pattern: str) -> str:
    """The pattern with words in it, its verb agreeing; a full stop after three in four."""
    several = rng.random() < 0.5
    adjective = rng.choice(("", "", "old ", "small "))
    subject = f"{adjective}{rng.choice(_WORDS['animal'])}{'s' if several else ''}"
    words = {name: rng.choice(choices) for name, choices in _WORDS.items()}
    words |= {verb: verb if several else one for verb, one in _ONE.items()}
    words["many"] = f"the {subject}" if several or rng.random() < 0.7 else f"a {subject}"
    words["pay"] = "pay" if words["who"] == "they" else "pays"
    return pattern.format(**words) + rng.choice((".", ".", ".", ""))
