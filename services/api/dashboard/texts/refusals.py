"""Translations of error messages for pages: the API writes them for programs, in English.

They are looked up by their text, with placeholders for values: each file in `refused` lists
messages with their translations. Those with a key of their own (`Translatable`) do not need this.
"""

from functools import lru_cache
from importlib.resources import files

from services.model.display import Lang
from services.runtime.phrases import Phrases

_PARTS = 10
"""How many colons may separate a value from what is wrong with it, at most."""
_OF_FIELD = "Value error, "
"""What field validation puts before our own messages."""


def translated(text: str, lang: Lang) -> str | None:
    """Return an error message in a language; None when it has no translation, and for English."""
    if lang is Lang.EN:
        return None
    known = _refusals(lang)
    text = text.removeprefix(_OF_FIELD)
    if (said := known.said(text)) is not None:
        return said
    value, *others = text.split(": ", _PARTS)
    for place, _ in enumerate(others):
        problem = ": ".join(others[place:]).removeprefix(_OF_FIELD)
        if (said := known.said(problem)) is not None:
            before = ": ".join([value, *others[:place]])
            return f"{known.words.get(before, before)}: {said}"
    return None


@lru_cache(maxsize=len(Lang))
def _refusals(lang: Lang) -> Phrases:
    return Phrases.read(files("services.api.dashboard").joinpath("refused", f"{lang}.toml"))
