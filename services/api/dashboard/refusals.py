"""What is refused, in the language of a page: messages that are written for programs, in English.

They are found by their text, with gaps for values: a file of `refused` has each beside its
translation. What has a key of its own (`Told`) needs none of this.
"""

from functools import lru_cache
from importlib.resources import files

from services.model.display import Lang
from services.runtime.phrases import Phrases

_PARTS = 10
"""What stands before so many colons may be a value, and behind it what is wrong with it."""
_OF_FIELD = "Value error, "
"""What the validation of fields writes before a message of ours."""


def translated(text: str, lang: Lang) -> str | None:
    """Return a refusal in a language; None where it is not known, and for English."""
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
