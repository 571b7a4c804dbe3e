"""The language of the command line: Vietnamese if the environment says so, otherwise English.

Texts are in the code, in English; a file in `languages` maps each one to its translation.
Option names, values and JSON are the same in every language.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from services.model.display import Lang
from services.model.lines import Line
from services.runtime.phrases import Phrases

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first that is set decides (POSIX, Base Definitions, section 8.2)."""
_LABELS = {line.value: line.vi[0].lower() + line.vi[1:] for line in Line}
"""The names of a block's lines within a sentence, except those in `words`."""


def spoken(environ: Mapping[str, str] | None = None) -> Lang:
    """Return the language of the environment: `vi_VN.UTF-8` is Vietnamese, any other is English."""
    environ = os.environ if environ is None else environ
    named = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    language = named.partition(".")[0].partition("_")[0].lower()
    return Lang.VI if language == Lang.VI else Lang.EN


def said(text: str) -> str:
    """Translate a message of a command or of the API; one that is not known stays as it is."""
    if spoken() is Lang.EN:
        return text
    if (word := _tables()["words"].get(text)) is not None:
        return str(word)
    if (message := _phrases().said(text)) is not None:
        return message
    if (label := _LABELS.get(text)) is not None:
        return label
    from services.api.dashboard.texts import refusals

    return refusals.translated(text, Lang.VI) or text


def helped(text: str) -> str:
    """Translate a help text paragraph by paragraph; one that is not known stays as it is."""
    if spoken() is Lang.EN:
        return text
    return "\n\n".join(_paragraph(part) for part in text.split("\n\n"))


def grouped(number: int) -> str:
    """Return a number in the style of the language: 1,234,567 or 1.234.567."""
    text = f"{number:,}"
    return text if spoken() is Lang.EN else _phrases().grouped(text)


def signed(number: int) -> str:
    """Return a number with its sign, in the style of the language: +1,234 or -1.234."""
    return f"{'' if number < 0 else '+'}{grouped(number)}"


def before_after(number: Mapping[str, int]) -> str:
    """Return a number before a change and, if it differs, after: 1,234 → 1,200."""
    before, after = grouped(number["before"]), grouped(number["after"])
    return before if before == after else f"{before} → {after}"


def around_help() -> Mapping[str, str]:
    """Return the translated headings around help texts, by their names in `typer.rich_utils`."""
    words: Mapping[str, str] = {} if spoken() is Lang.EN else _tables()["typer"]
    return words


def _paragraph(text: str) -> str:
    line = " ".join(text.split())
    return str(_tables()["help"].get(line) or _help_phrases().said(line) or text)


@lru_cache(maxsize=1)
def _help_phrases() -> Phrases:
    """Return the help texts with gaps, which the code fills with the items of a list."""
    texts = _tables()["help"]
    return Phrases.of({text: said for text, said in texts.items() if "{" in text}, {})


@lru_cache(maxsize=1)
def _phrases() -> Phrases:
    tables = _tables()
    return Phrases.of(tables["messages"], tables["values"], tables["thousands"])


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    path = files("services.cli").joinpath("languages", f"{Lang.VI}.toml")
    return tomllib.loads(path.read_text("utf-8"))
