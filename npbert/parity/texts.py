"""The texts that two sides are compared on unless others are given: where tokenizers go wrong."""

from __future__ import annotations

from typing import Final

TEXTS: Final = (
    "The quick brown fox jumps over the lazy dog.",
    "a",
    " ",
    "THIS IS SHOUTED; This Is A Title; this is not.",
    "Crème brûlée, naïve façade, Ångström, Dvořák, El Niño",
    "Cre\u0300me bru\u0302le\u0301e in decomposed letters",  # accents of their own
    "东京は日本の首都です。北京是中国的首都。",
    "서울은 대한민국의 수도이다",
    "mixed 漢字 and English, without漢字spaces",
    "Москва — столица России",
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας",
    "القاهرة هي عاصمة مصر",
    "दिल्ली भारत की राजधानी है",
    "İstanbul'da ılık bir akşam, GROSSE STRASSE, große Straße, ﬁne",
    "I ❤️ NLP 🤖🚀 (really!) 👩‍👩‍👧",
    "don't won't it's — “quoted” … ‘single’ <b>html</b> & [MASK] a_b e-mail",
    "3.14159 1,000,000 2024-02-29 10:30 +49-30-123456 $5 50% x²",
    "tabs\tand\nnew lines\r\nand\u00a0no-break\u2003spaces\u200bzero\u00adwidth\ufeff",
    "supercalifragilisticexpialidocious antidisestablishmentarianism "
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 150,  # past the longest word that WordPiece splits
    "def f(x): return x ** 2 if x > 0 else None  # comment",
    "How do I reset my password?",
    "I forgot my login credentials and need to restore access to my account.",
    " ".join(f"Sentence number {i} of a text too long for any of these models." for i in range(60)),
)
