"""The rules for what is not a page, compiled from `not_pages.toml`."""

import re
import tomllib
from collections.abc import Iterable
from fnmatch import translate
from importlib.resources import files
from typing import Any, NamedTuple

FILE = "not_pages.toml"


class Rules(NamedTuple):
    """Parts of a URL that show what it is; all in lower case.

    parameters  name → None for any value, or patterns of which the value must match one
    """

    endings: frozenset[str]
    names: frozenset[str]
    begins: re.Pattern[str]
    holds: re.Pattern[str]
    parameters: dict[str, list[re.Pattern[str]] | None]

    def have(self, path: str, name: str, query: Iterable[tuple[str, str]]) -> bool:
        """Tell whether a URL matches, by its path, the last segment of that, and its query."""
        if name in self.names or self.begins.match(path) or self.holds.search(path):
            return True
        for key, value in query:
            if key in self.parameters:
                patterns = self.parameters[key]
                if patterns is None or any(one.match(value) for one in patterns):
                    return True
        return False


def load() -> tuple[Rules, Rules, Rules]:
    """Return the rules for downloads, for what is not a page, and for feeds."""
    listed = tomllib.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return _rules([listed["downloads"]]), _rules(listed["not_pages"]), _rules(listed["feeds"])


def _rules(tables: list[dict[str, Any]]) -> Rules:
    def of(key: str) -> list[str]:
        return [text for table in tables for text in table.get(key, [])]

    endings = [name for table in tables for name in table.get("endings", "").split()]
    handlers = [name for table in tables for name in table.get("handlers", "").split()]
    holds = [_path(text) for text in of("holds")]
    if handlers:
        holds.append(rf"\.(?:{'|'.join(map(re.escape, handlers))})(?:/|$)")
    parameters: dict[str, list[re.Pattern[str]] | None] = {}
    for text in of("parameters"):
        name, equals, value = text.partition("=")
        known = parameters.setdefault(name, [] if equals else None)
        if known is not None:
            known.append(re.compile(translate(value)))
    return Rules(
        frozenset(endings),
        frozenset(of("names")),
        re.compile("|".join(map(_path, of("begins"))) or r"(?!)"),
        re.compile("|".join(holds) or r"(?!)"),
        parameters,
    )


def _path(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]+")
