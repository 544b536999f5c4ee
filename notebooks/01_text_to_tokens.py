# %% [markdown]
# # 01 · From text to tokens
#
# *the river bank.* A model computes with numbers, and this is a string of fourteen characters. On
# the way to numbers it becomes three tokens, and each token has a number in a list: its id.
#
# Three ideas:
#
# 1. **Words.** A text is cleaned and split: at spaces, at punctuation, around Chinese characters.
# 2. **Pieces.** No list has all words. A word that is not in the list is cut into pieces that are.
# 3. **Packing.** A model reads rows of one length. `[CLS]` begins a row, `[SEP]` ends a text,
#    `[PAD]` fills what is left, and a mask says which tokens are real.

# %%
import inspect
import json
import re
import time
from pathlib import Path

import numpy as np

import npbert
from npbert import teaching, viz
from npbert.parity.bundle import load_bundle
from npbert.text import folding, packing
from npbert.text.splitting import Splitter
from npbert.text.wordpiece import WordPiece

SENTENCE = "the river bank"
GOLDEN = Path("../golden")

# %% [markdown]
# ## 1. A text becomes words
#
# Read one character after the other. A letter or digit continues the word. Anything else ends it.
# A character that is no space is a word of its own.


# %%
def words_in_a_loop(text):
    """Words and punctuation marks of a text, in lower case."""
    words, word = [], ""
    for character in text.lower() + " ":
        if character.isalnum():
            word += character
        else:
            words += [word] if word else []
            words += [] if character.isspace() else [character]
            word = ""
    return words


def words_in_a_line(text):
    """The same, left to a regular expression."""
    return re.findall(r"[^\W_]+|[^\w\s]|_", text.lower())


for text in (SENTENCE, "The river-bank: 3.5 km (or so)!", "snake_case"):
    assert words_in_a_loop(text) == words_in_a_line(text)
    print(words_in_a_line(text))

# %% [markdown]
# That is nearly all of it. The rest is what texts of this world have besides plain English:
# accents, scripts without spaces, forms that look alike and are not. npbert takes marks off
# letters first, then splits, then folds the case, in the order in which Keras Hub does it.

# %%
splitter = Splitter(
    lowercase=True, strip_accents=True, split=True, split_on_cjk=True, special_tokens=()
)
for text in ("The Café", "Straße", "東京の川", "ﬁne", "don't", "a\u200bb"):
    ours = [splitter.fold(word) for word in splitter.words(text)]
    print(f"{text!r}: in one line {words_in_a_line(text)}, npbert {ours}")

# %% [markdown]
# "é" is really "e" and a mark, once it is *decomposed*. The mark is dropped. Each Chinese
# character becomes a word, since there are no spaces to tell where words end. (の is hiragana, and
# no Chinese character: it stands alone only because its neighbours are cut off.)
#
# These are Keras Hub's rules. Google's own and Hugging Face's differ in rare places: there, ß and ﬁ
# stay as they are, and the last text is one word, `ab`. This is npbert's code:

# %%
print(inspect.getsource(Splitter.words))
print(inspect.getsource(folding.strip_accents))

# %% [markdown]
# ## 2. A word becomes pieces
#
# The toy BERT that comes with npbert knows 59 tokens. Here is its whole vocabulary. A token's
# place in the list is its id. Five are special. Those that begin with `##` continue a word.

# %%
toy = teaching.toy()
vocabulary = toy.preprocessor.tokenizer.get_vocabulary()
for start in range(0, len(vocabulary), 10):
    row = [f"{start + i:2} {token}" for i, token in enumerate(vocabulary[start : start + 10])]
    print("".join(f"{cell:10}" for cell in row))

# %% [markdown]
# "river" and "bank" are in it, and "riverbank" is not. So we look for the longest beginning that
# is: all nine letters, then eight, and so on.

# %%
word = "riverbank"
for end in range(len(word), 0, -1):
    found = word[:end] in vocabulary
    print(f"{word[:end]:10}", "yes" if found else "no")
    if found:
        break

# %% [markdown]
# The rest, "bank", goes on in the same way, with `##` before it: `##bank` is in the list. It is
# another token than `bank`, with an id of its own. If at some place no piece fits at all, the
# whole word becomes `[UNK]`, unknown. This is **WordPiece**. npbert keeps the pieces that continue
# a word in a dictionary of their own, without their `##`:

# %%
print(inspect.getsource(WordPiece.cut))

# %%
for text in (SENTENCE, "the riverbank", "two walked dogs", "bankers swimming"):
    tokens = toy.preprocessor.tokenizer.tokens(text)
    print(f"{text:18}", [(token.token, token.id) for token in tokens if not token.special])

# %% [markdown]
# "two" is unknown to the toy. "swimming" is too: `swim` fits, and then `##m` would be needed. A
# real vocabulary has the letters of many scripts as pieces, so that hardly any word is unknown.
# That of all-MiniLM-L6-v2 is BERT's own, of 2018:

# %%
model = npbert.Embedder("all-MiniLM-L6-v2")
size = model.tokenizer.vocabulary_size()
everything = [model.tokenizer.id_to_token(i) for i in range(size)]
continuing = sum(token.startswith("##") for token in everything)
print(f"{size:,} tokens, {continuing:,} of which continue a word")
assert size == 30_522  # the vocab_size of google-research/bert's own bert_config.json

for text in (SENTENCE, "riverbanks", "unbelievably", "Ångström", "tokenizers", "1874", "🍕"):
    tokens = [token for token in model.tokenizer.tokens(text) if not token.special]
    pieces = " ".join(f"{token.token}({token.id})" for token in tokens)
    print(f"{text:14} {pieces}")

# %% [markdown]
# A piece is not a syllable, and has no meaning by itself: `un ##bel ##ie ##va ##bly` is what
# happened to be in the list. The pizza is `[UNK]`: neither it nor a piece of it is in the list.
#
# **Is it right?** Two libraries were asked, and their answers are kept in `golden/`. Keras Hub
# split 301 texts, most of them nasty, with 24 settings. Every single id must be equal.

# %%
keras = json.loads((GOLDEN / "tokens.json").read_text(encoding="utf-8"))
count = 0
for settings, expected in zip(keras["settings"], keras["tokens"], strict=True):
    tokenizer = npbert.BertTokenizer(keras["vocabulary"], **settings)
    texts = keras["texts"] if tokenizer.settings.split else [[text] for text in keras["texts"]]
    for ours, row in zip(tokenizer(texts), expected, strict=True):
        assert ours.tolist() == keras["rows"][row]
        count += len(ours)
print(f"Keras Hub: {count:,} ids are equal")

# %% [markdown]
# Hugging Face's tokenizer split 24 texts for all-MiniLM-L6-v2. With the same vocabulary, npbert's
# WordPiece agrees on 21 of them. The other three meet rules in which the two libraries differ: one
# has an ß, one has emoji joined into one, and one has `[CLS]` written in the text. So for a model
# that was trained with Hugging Face's tokens, `Embedder` uses Hugging Face's own tokenizer.

# %%
theirs = load_bundle(GOLDEN / "minilm")
texts = theirs.meta["texts"]
rules = {"lowercase": True, "strip_accents": True}
own = npbert.BertTokenizer(everything, **rules)
others = []
for i, ours in enumerate(own(texts)):
    kept = theirs.arrays["inputs.padding_mask"][i] != 0
    row = theirs.arrays["inputs.token_ids"][i][kept][1:-1]  # without [CLS] and [SEP]
    if ours[:254].tolist() != row.tolist():  # each was cut to 256 with those two
        others.append(i)
assert others == [6, 10, 19]  # ß, joined emoji, [CLS] written in a text
print(f"Hugging Face: {len(texts) - len(others)} of {len(texts)} texts are equal")

# %% [markdown]
# **What it costs.** A word of n letters takes at most n (n + 1) / 2 look-ups, and most words take
# one. npbert also remembers words: a text of words that it has met is a matter of microseconds.
# The model's own work on the same texts takes far longer.


# %% tags=["varies"]
def microseconds(run, *arguments):
    """The best of five runs."""
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        run(*arguments)
        spent.append(time.perf_counter() - start)
    return 1e6 * min(spent)


sentences = [text for text in texts if 0 < len(text) < 60]
first = microseconds(lambda: npbert.BertTokenizer(everything, **rules)(sentences))
again = microseconds(own, sentences)
whole = microseconds(model.encode, sentences)
print(f"{len(sentences)} short texts: {again:6,.0f} µs to ids, their words remembered")
print(f"{'':15}{first:6,.0f} µs with a new tokenizer, its vocabulary read first")
print(f"{'':15}{whole:6,.0f} µs to vectors, by all-MiniLM-L6-v2")

# %% [markdown]
# ## 3. Tokens become a row
#
# A model reads three arrays of one shape, (B, T): `token_ids`, `segment_ids` and `padding_mask`.
# Here is one text in a row of eight:

# %%
cls, sep, pad = (vocabulary.index(name) for name in ("[CLS]", "[SEP]", "[PAD]"))
ids = [cls, *(vocabulary.index(word) for word in SENTENCE.split()), sep]
row = ids + [pad] * (8 - len(ids))
mask = [1] * len(ids) + [0] * (8 - len(ids))
print("token_ids   ", row)
print("padding_mask", mask)

# %% [markdown]
# Some questions are about two texts: does the second answer the first? Then both go into one row,
# one `[SEP]` after each. `segment_ids` tells them apart: 0 for the first text, 1 for the second.
# This is npbert's own; `share` decides who loses what when the row is too short.

# %%
print(inspect.getsource(packing.pack))

# %%
preprocessor = npbert.BertTextClassifierPreprocessor(toy.preprocessor.tokenizer, 12)
questions = ["the river bank", "the river bank", "is the bank open"]
answers = ["the bank is wet", "", "the bank by the shop is open"]
batch = preprocessor((questions, answers))
for name in ("token_ids", "segment_ids", "padding_mask"):
    print(name)
    print(batch[name].astype(int), "\n")

# %% [markdown]
# The third pair did not fit: four tokens and seven, with three special ones, for a row of twelve.
# Who loses? By default one token goes to each text in turn, until the row is full (`round_robin`).
# So a short text is never pushed out by a long one.

# %%
print(inspect.getsource(packing.round_robin))
for lengths in ((4, 7), (8, 2), (20, 3), (20, 30)):
    shares = {name: share(lengths, 9) for name, share in packing.ALGORITHMS.items()}
    print(f"{lengths!s:8} tokens, room for 9:", shares)

# %% [markdown]
# The picture shows what padding costs: white is computed for nothing. (npbert can leave it out,
# with `skip_padding=True`, and `Embedder` does so always.)

# %%
pairs = [f"{a} | {b}" for a, b in zip(questions, answers, strict=True)]
viz.strip(batch["padding_mask"], pairs, "padding_mask: 1 is a token, 0 is padding")

# %% [markdown]
# And again: what does Keras Hub make of the same texts? Its packed rows are in the same file.

# %%
# Those that hide tokens are left out: they draw them at random.
cases = [case for case in keras["packed"] if not case["labels"]]
for case in cases:
    tokenizer = npbert.BertTokenizer(
        keras["vocabulary"], lowercase=True, special_tokens_in_strings=True
    )
    packer = getattr(npbert, case["class"])(tokenizer, **case["settings"])
    ours = packer(tuple(case["segments"]))
    for name, array in case["inputs"].items():
        assert np.array_equal(ours[name], array), (name, case)
print(f"{len(cases)} batches are packed as by Keras Hub")

# %% [markdown]
# ## Your turn
#
# `npbert.check` runs your function on words and texts of the toy, beside npbert's own. If
# something is wrong it says where, and names the mistake if it knows it.
#
# **Exercise 1, WordPiece.** `word` is one word in lower case, `vocabulary` a set of tokens. Return
# the list of its pieces, those that continue the word with their `##`. A word that cannot be made
# of pieces is `["[UNK]"]`.


# %%
def my_wordpiece(word, vocabulary):
    raise NotImplementedError("your turn")


npbert.check("wordpiece", my_wordpiece)

# %% [markdown]
# **Exercise 2, packing.** `first` and `second` are lists of ids. Return three lists of `length`
# numbers: token ids, segment ids, and the padding mask (1 for a token, 0 for padding). What is too
# long is cut as in section 3, one token to each text in turn.


# %%
def my_pack_pair(first, second, length, cls_id, sep_id, pad_id):
    raise NotImplementedError("your turn")


npbert.check("pack_pair", my_pack_pair)

# %% [markdown]
# ## Solutions
#
# <details><summary>Exercise 1</summary>
#
# ```python
# def my_wordpiece(word, vocabulary):
#     pieces, start = [], 0
#     while start < len(word):
#         for end in range(len(word), start, -1):
#             piece = ("##" if start else "") + word[start:end]
#             if piece in vocabulary:
#                 break
#         else:  # no piece fits here, so the word is unknown, whatever was found before
#             return ["[UNK]"]
#         pieces.append(piece)
#         start = end
#     return pieces
#
# assert npbert.check("wordpiece", my_wordpiece)
# ```
# </details>
#
# <details><summary>Exercise 2</summary>
#
# ```python
# def my_pack_pair(first, second, length, cls_id, sep_id, pad_id):
#     kept_first = kept_second = 0
#     for _ in range(length - 3):  # [CLS] and twice [SEP] are always there
#         more_first, more_second = kept_first < len(first), kept_second < len(second)
#         if more_first and (kept_first <= kept_second or not more_second):
#             kept_first += 1
#         elif more_second:
#             kept_second += 1
#     a, b = first[:kept_first], second[:kept_second]
#     token_ids = [cls_id, *a, sep_id, *b, sep_id]
#     segment_ids = [0] * (len(a) + 2) + [1] * (len(b) + 1)
#     filled = length - len(token_ids)
#     padding_mask = [1] * len(token_ids) + [0] * filled
#     return token_ids + [pad_id] * filled, segment_ids + [0] * filled, padding_mask
#
# assert npbert.check("pack_pair", my_pack_pair)
# ```
# </details>
#
# ---
# You can now read: `npbert/text/splitting.py`, `npbert/text/wordpiece.py` and
# `npbert/text/packing.py`. Next: [02 · From tokens to embeddings](02_tokens_to_embeddings.ipynb).
