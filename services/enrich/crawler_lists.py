"""Lists of crawlers maintained by others, minus the patterns that are switched off here.

Neither package is used directly: one would keep examples of every crawler in memory, the other
joins its patterns into one expression that is a hundred times slower. Nearly all patterns are plain
text, which is searched for as such: compiled expressions take many times the memory.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import msgspec
import ua_parser_rs
from ahocorasick_rs import AhoCorasick, Implementation
from crawlerdetect.providers.crawlers import data as _crawler_detect
from crawlerdetect.providers.exclusions import data as _exclusions

CRAWLER_USER_AGENTS = "crawler-user-agents"
CRAWLER_DETECT = "crawlerdetect"
SWITCHED_OFF = "switched_off.json"

_ORDINARY = re.compile("|".join(_exclusions), re.IGNORECASE)
_CAPITAL = re.compile(r"\\.|([A-Z])")
_ESCAPED = re.compile(r"\\(\W)")
_OPERATOR = re.compile(r"[\\.^$*+?{}\[\]|()]")


class Pattern(msgspec.Struct, frozen=True):
    """One regular expression of a list, looked for anywhere in a User-Agent."""

    list: str
    regex: str


class SwitchedOff(msgspec.Struct, frozen=True):
    """A pattern that takes people for crawlers; `agent` is a User-Agent of theirs."""

    list: str
    regex: str
    agent: str


class _Crawler(msgspec.Struct, gc=False):
    pattern: str


@cache
def all_patterns() -> tuple[Pattern, ...]:
    """Return the patterns of both lists as they are in the packages."""
    package = find_spec("crawleruseragents")
    assert package is not None, "it is a dependency"  # noqa: S101
    assert package.origin is not None  # noqa: S101
    data = Path(package.origin).with_name("crawler-user-agents.json").read_bytes()
    return (
        *(
            Pattern(CRAWLER_USER_AGENTS, crawler.pattern)
            for crawler in msgspec.json.decode(data, type=list[_Crawler])
        ),
        *(Pattern(CRAWLER_DETECT, regex) for regex in _crawler_detect),
    )


def switched_off() -> list[SwitchedOff]:
    """Return the patterns that `python -m tests.agents.switch_off` has switched off."""
    body = files(__package__).joinpath(SWITCHED_OFF).read_bytes()
    return msgspec.json.decode(body, type=list[SwitchedOff])


class CrawlerLists:
    """Both lists, each compiled into one set that needs a single pass over a User-Agent."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._patterns = patterns
        self._exact = PatternSet(self._of(CRAWLER_USER_AGENTS))
        self._folded = PatternSet(self._of(CRAWLER_DETECT), any_case=True)

    def find(self, user_agent: str) -> Pattern | None:
        """Return a pattern that matches; None when none does."""
        number = self._exact.find(user_agent)
        if number is None:
            # Remove what ordinary browsers send first: that list expects only the rest.
            number = self._folded.find(_ORDINARY.sub("", user_agent))
        return None if number is None else self._patterns[number]

    def _of(self, name: str) -> Iterator[tuple[int, str]]:
        return (
            (number, pattern.regex)
            for number, pattern in enumerate(self._patterns)
            if pattern.list == name
        )


class PatternSet:
    """A set of regular expressions in Rust's syntax; those it cannot handle are tried one by one.

    Plain text is searched for first.

    any_case  ignore case
    """

    def __init__(self, numbered: Iterable[tuple[int, str]], *, any_case: bool = False) -> None:
        in_set = []
        texts = []
        self._numbers = []
        self._others = []
        self._any_case = any_case
        for number, regex in numbered:
            text = _text(regex)
            if text is not None:
                self._numbers.append(number)
                texts.append(text.lower() if any_case else text)
            elif "(?!" in regex or "(?=" in regex or "(?<" in regex:
                self._others.append((number, re.compile(regex, re.IGNORECASE * any_case)))
            else:
                # Lower-case text is matched: with (?i), compiling takes eight times as long.
                pattern = _small(regex) if any_case else regex
                # The "family" of a match is the number of its pattern.
                in_set.append((pattern, str(number), None, None, None, None))
        self._texts = AhoCorasick(
            texts, implementation=Implementation.ContiguousNFA, store_patterns=False
        )
        self._set = ua_parser_rs.UserAgentExtractor(in_set)

    def find(self, text: str) -> int | None:
        """Return the number of a pattern that matches; None when none does."""
        searched = text.lower() if self._any_case else text
        for index, *_ in self._texts.find_matches_as_indexes(searched):
            return self._numbers[index]
        match = self._set.extract(searched)
        if match is not None:
            return int(match.family)
        return next((number for number, regex in self._others if regex.search(text)), None)


def _text(regex: str) -> str | None:
    """Return the text that an expression stands for; None if it is more than plain text."""
    if _OPERATOR.search(_ESCAPED.sub("", regex)):
        return None
    return _ESCAPED.sub(r"\1", regex)


def _small(regex: str) -> str:
    """Return an expression in lower case, except for escapes such as \\S."""
    return _CAPITAL.sub(lambda found: found[1].lower() if found[1] else found[0], regex)


def load() -> CrawlerLists:
    """Compile the lists without what is switched off."""
    off = {(pattern.list, pattern.regex) for pattern in switched_off()}
    return CrawlerLists(
        tuple(pattern for pattern in all_patterns() if (pattern.list, pattern.regex) not in off)
    )
