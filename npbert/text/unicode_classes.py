"""Classes of characters that decide where a word ends, as Unicode 18 has them.

Python knows the categories of its own Unicode, which grows with every release; with these tables
the same text has the same tokens on each. Source: the Unicode Character Database, general
categories P, Cc and Cf and the property Default_Ignorable_Code_Point;
keras_hub/src/tokenizers/word_piece_tokenizer.py, ``PY_WHITESPACE_REGEX``, ``PY_PUNCTUATION_REGEX``
and ``PY_CJK_REGEX``, for what they are used for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SPACE: Final = "0020"
"""With `CONTROL`, which has the tab and the newlines, all that is dropped between words. Other
spaces (U+00A0, U+3000, U+2028) are no delimiters: they stay in the word."""

CONTROL: Final = (
    "0000-001f 007f-009f 00ad 0600-0605 061c 06dd 070f 0890-0891 08e2 180e 200b-200f 202a-202e "
    "2060-2064 2066-206f feff fff9-fffb 110bd 110cd 13430-1343f 1bca0-1bca3 1d173-1d17a e0001 "
    "e0020-e007f"
)
"""Control and format characters: Cc and Cf."""

ASCII_SYMBOLS: Final = "0021-002f 003a-0040 005b-0060 007b-007e"
"""All of ASCII that is neither letter nor digit, whatever its category."""

PUNCTUATION: Final = (
    "0021-0023 0025-002a 002c-002f 003a-003b 003f-0040 005b-005d 005f 007b 007d 00a1 00a7 00ab "
    "00b6-00b7 00bb 00bf 037e 0387 055a-055f 0589-058a 05be 05c0 05c3 05c6 05f3-05f4 0609-060a "
    "060c-060d 061b 061d-061f 066a-066d 06d4 0700-070d 07f7-07f9 0830-083e 085e 0964-0965 0970 "
    "09fd 0a76 0af0 0c77 0c84 0df4 0e4f 0e5a-0e5b 0f04-0f12 0f14 0f3a-0f3d 0f85 0fd0-0fd4 "
    "0fd9-0fda 104a-104f 10fb 1360-1368 1400 166e 169b-169c 16eb-16ed 1735-1736 17d4-17d6 "
    "17d8-17da 1800-180a 1944-1945 1a1e-1a1f 1aa0-1aa6 1aa8-1aad 1b4e-1b4f 1b5a-1b60 1b7d-1b7f "
    "1bfc-1bff 1c3b-1c3f 1c7e-1c7f 1cc0-1cc7 1cd3 2010-2027 2030-2043 2045-2051 2053-205e "
    "207d-207e 208d-208e 2308-230b 2329-232a 2768-2775 27c5-27c6 27e6-27ef 2983-2998 29d8-29db "
    "29fc-29fd 2cf9-2cfc 2cfe-2cff 2d70 2e00-2e2e 2e30-2e4f 2e52-2e5d 2e60-2e63 3001-3003 "
    "3008-3011 3014-301f 3030 303d 30a0 30fb a4fe-a4ff a60d-a60f a673 a67e a6f2-a6f7 a874-a877 "
    "a8ce-a8cf a8f8-a8fa a8fc a92e-a92f a95f a9c1-a9cd a9de-a9df aa5c-aa5f aade-aadf aaf0-aaf1 "
    "abeb fd3e-fd3f fe10-fe19 fe30-fe52 fe54-fe61 fe63 fe68 fe6a-fe6b ff01-ff03 ff05-ff0a "
    "ff0c-ff0f ff1a-ff1b ff1f-ff20 ff3b-ff3d ff3f ff5b ff5d ff5f-ff65 10100-10102 1039f 103d0 "
    "1056f 10857 1091f 1093f 10a50-10a58 10a7f 10af0-10af6 10b39-10b3f 10b99-10b9c 10d6e 10ead "
    "10ed0 10f55-10f59 10f86-10f89 11047-1104d 110bb-110bc 110be-110c1 11140-11143 11174-11175 "
    "111c5-111c8 111cd 111db 111dd-111df 11238-1123d 112a9 113d4-113d5 113d7-113d8 1144b-1144f "
    "1145a-1145b 1145d 114c6 115c1-115d7 11641-11643 11660-1166c 116b9 1173c-1173e 1183b "
    "11944-11946 119e2 11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45 "
    "11c70-11c71 11ef7-11ef8 11f43-11f4f 11fff 12470-12474 12ff1-12ff2 16a6e-16a6f 16af5 "
    "16b37-16b3b 16b44 16d6d-16d6f 16e97-16e9a 16fe2 1bc9f 1da87-1da8b 1e5ff 1e95e-1e95f"
)
"""Punctuation: P."""

CJK: Final = (
    "3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b73f 2b740-2b81f 2b820-2ceaf 2f800-2fa1f"
)
"""The characters that the original BERT takes for words of their own: no kana, no hangul."""

IGNORABLE: Final = (
    "00ad 034f 061c 115f-1160 17b4-17b5 180b-180f 200b-200f 202a-202e 2060-206f 3164 fe00-fe0f "
    "feff ffa0 fff0-fff8 1bca0-1bca3 1d173-1d17a e0000-e0fff"
)
"""What folding case drops: Default_Ignorable_Code_Point."""


def ranges(table: str) -> Iterator[tuple[int, int]]:
    """The first and the last code point of each range."""
    for each in table.split():
        first, _, last = each.partition("-")
        yield int(first, 16), int(last or first, 16)


def char_class(*tables: str) -> str:
    """The inside of a regular expression's ``[...]``."""
    pairs = (pair for table in tables for pair in ranges(table))
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in pairs)
