"""What is refused, in the language of a page: messages that are written for programs, in English.

They are found by their text, with gaps for values: a file of `refused` has each beside its
translation. What has a key of its own (`Told`) needs none of this.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from services.model.display import Lang

_GAP = re.compile(r"\{([a-z]+)\}")
_PARTS = 10
"""What stands before so many colons may be a value, and behind it what is wrong with it."""
_OF_FIELD = "Value error, "
"""What the validation of fields writes before a message of ours."""


class _Message(NamedTuple):
    """A message: pieces of text and names of gaps, in turn, and its translation."""

    pieces: list[str]
    translation: str


class _Refusals(NamedTuple):
    messages: tuple[_Message, ...]
    words: Mapping[str, str]


def translated(text: str, lang: Lang) -> str | None:
    """Return a refusal in a language; None where it is not known, and for English."""
    if lang is Lang.EN:
        return None
    known = _refusals(lang)
    text = text.removeprefix(_OF_FIELD)
    if (said := _said(text, known)) is not None:
        return said
    value, *others = text.split(": ", _PARTS)
    for place, _ in enumerate(others):
        problem = ": ".join(others[place:]).removeprefix(_OF_FIELD)
        if (said := _said(problem, known)) is not None:
            before = ": ".join([value, *others[:place]])
            return f"{known.words.get(before, before)}: {said}"
    return None


def _said(text: str, known: _Refusals) -> str | None:
    for message in known.messages:
        values = _values(message.pieces, text)
        if values is not None:
            said = {name: known.words.get(value, value) for name, value in values.items()}
            return _GAP.sub(lambda gap, said=said: said[gap[1]], message.translation)  # type: ignore[misc]
    return None


def _values(pieces: list[str], text: str) -> dict[str, str] | None:
    """Return what stands in the gaps; None where the text is another message."""
    if len(pieces) == 1:
        return {} if text == pieces[0] else None
    if not text.startswith(pieces[0]):
        return None
    values, at = {}, len(pieces[0])
    for name, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        is_last = name == pieces[-2]
        found = len(text) - len(piece) if is_last else text.find(piece, at)
        if found < at or not text.startswith(piece, found):
            return None
        values[name] = text[at:found]
        at = found + len(piece)
    return values


@lru_cache(maxsize=len(Lang))
def _refusals(lang: Lang) -> _Refusals:
    path = files("services.api.dashboard").joinpath("refused", f"{lang}.toml")
    read = tomllib.loads(path.read_text("utf-8"))
    # Those that say most come first: `{days} days` is the beginning of many a message.
    messages = sorted(
        read["messages"].items(), key=lambda one: len(_GAP.sub("", one[0])), reverse=True
    )
    return _Refusals(
        tuple(_Message(_GAP.split(text), translation) for text, translation in messages),
        read["words"],
    )
