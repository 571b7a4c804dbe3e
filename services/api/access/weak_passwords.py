"""Which passwords are easily guessed, by zxcvbn's lists and Vietnamese words."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

LEAST_GUESSES = 100_000_000
"""Where zxcvbn's class 3 of 4 begins. The throttle lets 3.5 million guesses a year through."""
EXAMINED = 64
"""How many characters are looked at: a weak start gets no better, and the time is bounded."""
_FREE_SIGNS = 2
"""Symbols that everybody adds; each further one makes a password as much harder as a letter."""
_OF_A_SIGN = 30
_LEAST_DIGITS = 16

_PHONE = re.compile(r"(?:\+?84|0)[235789]\d{8,9}")
_SEPARATORS = re.compile(r"[^0-9a-z]+")


def is_weak(password: str, known: Iterable[str]) -> bool:
    """Tell whether a password is among those tried first; takes some milliseconds.

    known  what an attacker knows: the name of the user, and of their sites
    """
    plain = unicodedata.normalize("NFC", password)[:EXAMINED]
    folded = _folded(plain)
    letters = _SEPARATORS.sub("", folded)
    rest = _PHONE.sub("", letters)
    if letters.isdecimal() and len(letters) < _LEAST_DIGITS:
        return True
    if rest != letters and len(rest) < _LEAST_DIGITS // 2:
        return True
    inputs = [*_inputs(known), *_words()]
    signs = sum(1 for sign in folded if not sign.isalnum() and not sign.isspace())
    harder = _OF_A_SIGN ** max(0, signs - _FREE_SIGNS)
    return (
        _guesses(plain, inputs) < LEAST_GUESSES
        or _guesses(letters, inputs) * harder < LEAST_GUESSES
    )


def _guesses(password: str, inputs: Sequence[str]) -> int:
    # Its lists take some megabytes, which a process that sets no password saves.
    from zxcvbn import zxcvbn

    return int(zxcvbn(password, list(inputs))["guesses"]) if password else 0


def _inputs(known: Iterable[str]) -> list[str]:
    """Return what is known, in the forms in which it appears in passwords."""
    inputs: dict[str, None] = {}
    for text in known:
        folded = _folded(text)
        wholes = [_SEPARATORS.sub("", one) for one in (folded, folded.partition("@")[0])]
        for part in (*wholes, *_SEPARATORS.split(folded)):
            if len(part) > 2:
                inputs[part] = None
    return list(inputs)


def _folded(text: str) -> str:
    """Return a text in lower case, without the marks of Vietnamese."""
    bare = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in bare if not unicodedata.combining(letter))


@lru_cache(maxsize=1)
def _words() -> tuple[str, ...]:
    text = files(__package__).joinpath("weak_words.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(dict.fromkeys(" ".join(lines).split()))
