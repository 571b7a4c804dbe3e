"""Search without diacritics: `dong thap` finds `Đồng Tháp`, and case is ignored."""

import re
from collections import defaultdict
from functools import lru_cache

from services.model.letters import plain

MAX_SEARCH = 100
"""The most characters of a search."""

_LATIN = (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
_MARKS = "[\u0300-\u036f]*"


def folded(text: str) -> str:
    """Return a text without diacritics, in lower case."""
    return plain(text).casefold()


def pattern_of(search: str) -> str:
    """Return the regular expression (RE2) for texts that contain the words in order."""
    words = folded(search).split()
    return "(?is)" + ".*".join("".join(map(_letter, word)) for word in words)


def finds(search: str, text: str) -> bool:
    """Tell whether a text matches, by the same rule as the pattern."""
    at, bare = 0, folded(text)
    for word in folded(search).split():
        place = bare.find(word, at)
        if place < 0:
            return False
        at = place + len(word)
    return True


def _letter(letter: str) -> str:
    alike = _alike().get(letter)
    return f"[{letter}{alike}]{_MARKS}" if alike else re.escape(letter)


@lru_cache(maxsize=1)
def _alike() -> dict[str, str]:
    """Return, for each plain letter, its variants with diacritics."""
    by_letter: dict[str, list[str]] = defaultdict(list)
    for code in _LATIN:
        bare = folded(chr(code))
        if len(bare) == 1 and bare.isascii() and bare.isalpha():
            by_letter[bare].append(chr(code))
    return {letter: "".join(letters) for letter, letters in by_letter.items()}
