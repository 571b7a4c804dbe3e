"""Translates messages that are written in English for programs.

A message is looked up by its text, with placeholders for values. A file has messages with their
translations in the table `messages`, and words to translate in values in the table `words`.
"""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import NamedTuple, Self

_GAP = re.compile(r"\{([a-z]+)\}")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")


class _Message(NamedTuple):
    """A message: its text as alternating pieces and placeholder names, and its translation."""

    pieces: list[str]
    translation: str


class Phrases(NamedTuple):
    """The messages of a file, longest first, its words, and its thousands separator."""

    messages: tuple[_Message, ...]
    words: Mapping[str, str]
    thousands: str

    @classmethod
    def read(cls, path: Traversable) -> Self:
        """Read a file."""
        tables = tomllib.loads(path.read_text("utf-8"))
        return cls.of(tables["messages"], tables["words"], tables.get("thousands", ","))

    @classmethod
    def of(
        cls, messages: Mapping[str, str], words: Mapping[str, str], thousands: str = ","
    ) -> Self:
        """Return the phrases of these messages, and of words to translate in their values."""
        # `{days} days` alone would match the beginning of many messages.
        longest_first = sorted(
            messages.items(), key=lambda one: len(_GAP.sub("", one[0])), reverse=True
        )
        return cls(
            tuple(_Message(_GAP.split(text), translation) for text, translation in longest_first),
            words,
            thousands,
        )

    def said(self, text: str) -> str | None:
        """Return the translation of a text; None if it is not a message of the file."""
        for message in self.messages:
            values = _values(message.pieces, text)
            if values is not None:
                said = {name: self._value(value) for name, value in values.items()}
                return _GAP.sub(lambda gap, said=said: said[gap[1]], message.translation)  # type: ignore[misc]
        return None

    def _value(self, value: str) -> str:
        if value in self.words:
            return self.words[value]
        return self.grouped(value)

    def grouped(self, text: str) -> str:
        """Return a text with the thousands of its numbers separated as in the language."""
        return _THOUSANDS.sub(lambda number: number[0].replace(",", self.thousands), text)


def _values(pieces: list[str], text: str) -> dict[str, str] | None:
    """Return the values of the placeholders; None if the text is another message."""
    if len(pieces) == 1:
        return {} if text == pieces[0] else None
    if not text.startswith(pieces[0]):
        return None
    values, at = {}, len(pieces[0])
    for name, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        is_last = name == pieces[-2]
        end = len(text) - len(piece) if is_last else text.find(piece, at)
        if end < at or not text.startswith(piece, end):
            return None
        values[name] = text[at:end]
        at = end + len(piece)
    return values
