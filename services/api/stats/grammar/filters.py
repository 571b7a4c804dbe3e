"""Filters, written as `event:page==/blog/*;visit:country!=FR|DE`; see `filter_text.py`."""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from services.api.stats.grammar import names
from services.api.stats.grammar.traffic_sources import Known, traffic_sources
from services.http.errors import bad_request, shown
from services.model.filter_text import escaped, split, unescaped

MAX_FILTERS = 20
MAX_VALUES = 100
MAX_WILDCARDS = 20
"""Patterns with wildcards in all filters together: each is matched against every hit."""
MAX_STARS = 5
"""Wildcards of one pattern."""
MAX_LENGTH = 512
"""Bytes of a value; no path is longer."""
MAX_TEXT = 16_000
"""Characters of all filters."""
MAX_SOURCES = 2000
"""Hosts and campaigns that the source names in filters expand to: all are in the statement."""


class Property(StrEnum):
    """What hits can be filtered by and broken down by."""

    PAGE = "event:page"
    HOSTNAME = "event:hostname"
    SOURCE = "visit:source"
    CHANNEL = "visit:channel"
    REFERRER = "visit:referrer"
    UTM_SOURCE = "visit:utm_source"
    UTM_MEDIUM = "visit:utm_medium"
    UTM_CAMPAIGN = "visit:utm_campaign"
    UTM_CONTENT = "visit:utm_content"
    UTM_TERM = "visit:utm_term"
    COUNTRY = "visit:country"
    REGION = "visit:region"
    DEVICE = "visit:device"
    BROWSER = "visit:browser"
    OS = "visit:os"
    ENTRY_PAGE = "visit:entry_page"
    EXIT_PAGE = "visit:exit_page"

    @property
    def field(self) -> str:
        """Its name in an answer."""
        return self.partition(":")[2]

    @property
    def unknown(self) -> str:
        """What answers and filters call an unknown value."""
        sources = (Property.SOURCE, Property.REFERRER)
        return "Direct / None" if self in sources else "(not set)"

    def shown(self, value: str) -> str:
        """Return a value of the table as answers show it."""
        return value or self.unknown


OF_VISITS = frozenset({Property.ENTRY_PAGE, Property.EXIT_PAGE})
"""What only visits are broken down by; a single view does not know it, so it is not a filter."""
OF_PATHS = frozenset({Property.PAGE, *OF_VISITS})
"""Properties whose values are pages."""
FILTERED = tuple(by for by in Property if by not in OF_VISITS)
"""What a view can be filtered by."""

Pattern = tuple[str, ...]
"""Literal pieces with any text between them; a single piece is the value itself."""


def _fits(pattern: Pattern, value: str) -> bool:
    first, last = pattern[0], pattern[-1]
    if len(pattern) == 1:
        return value == first
    if not value.startswith(first) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in pattern[1:-1]:
        place = value.find(piece, at, end)
        if place < 0:
            return False
        at = place + len(piece)
    return at <= end


class Filter(msgspec.Struct, frozen=True):
    """Hits whose property fits one of the patterns, or none of them."""

    by: Property
    patterns: tuple[Pattern, ...]
    negated: bool = False

    @property
    def values(self) -> list[str]:
        """The patterns without wildcards, as the table has them; Plausible's words are accepted.

        Includes the values whose Plausible words match a wildcard.
        """
        pieces = [pattern[0] for pattern in self.patterns if len(pattern) == 1]
        words = names.WRITTEN.get(self.by, {}).items() if self.wildcards else ()
        return [
            *("" if piece == self.by.unknown else names.kept(self.by, piece) for piece in pieces),
            *(
                value
                for value, word in words
                if any(_fits(pattern, word) for pattern in self.wildcards)
            ),
        ]

    @property
    def wildcards(self) -> list[Pattern]:
        """The patterns with a wildcard."""
        return [pattern for pattern in self.patterns if len(pattern) > 1]

    @property
    def is_one_value(self) -> bool:
        """Whether all that passes has one and the same known value."""
        is_one = len(self.patterns) == 1 and not self.wildcards
        return not self.negated and is_one and any(self.values)

    def names(self, value: str) -> bool:
        """Tell whether a value matches one of the patterns, negated or not."""
        return any(_fits(pattern, value) for pattern in self.patterns)

    def takes(self, value: str) -> bool:
        """Tell whether a value passes, by the same rule as in statements about raw hits."""
        return self.names(value) is not self.negated

    def __str__(self) -> str:
        values = "|".join("*".join(map(escaped, pattern)) for pattern in self.patterns)
        return f"{self.by}{'!=' if self.negated else '=='}{values}"


_TERM = re.compile("(?P<property>[^=!]*)(?P<operator>[=!]=)(?P<value>.*)", re.DOTALL)
"""Takes time in proportion to the text: a stranger writes it, where a dashboard is public."""


def parse(text: str) -> tuple[Filter, ...]:
    """Parse filters. Raises ApiError, which names what could not be parsed, or is too much."""
    if len(text) > MAX_TEXT:
        raise bad_request("filters", f"{len(text)} characters; expected at most {MAX_TEXT}")
    terms = [term for term in split(text, ";") if term.strip()]
    if len(terms) > MAX_FILTERS:
        raise bad_request("filters", f"{len(terms)} of them; expected at most {MAX_FILTERS}")
    filters = tuple(_filter(term) for term in terms)
    wildcards = sum(len(one.wildcards) for one in filters)
    if wildcards > MAX_WILDCARDS:
        raise bad_request(
            "filters", f"{wildcards} patterns with *; expected at most {MAX_WILDCARDS}"
        )
    sources = sum(len(_sources(one)) for one in filters if one.by is Property.SOURCE)
    if sources > MAX_SOURCES:
        raise bad_request(
            "filters", f"sources of {sources} hosts; expected at most {MAX_SOURCES} hosts"
        )
    return filters


def _sources(of: Filter) -> Mapping[str, Known]:
    return traffic_sources().of_names(of.names).exact


def _filter(term: str) -> Filter:
    matched = _TERM.fullmatch(term)
    if matched is None:
        raise bad_request("filters", f"{shown(term)}; expected a property, == or !=, and a value")
    values = split(matched["value"].strip(), "|")
    if len(values) > MAX_VALUES:
        raise bad_request("filters", f"{len(values)} values; expected at most {MAX_VALUES}")
    if not all(values):
        raise bad_request("filters", f"{shown(term)} has an empty value")
    for value in values:
        if len(value.encode()) > MAX_LENGTH:
            raise bad_request("filters", f"{shown(value)}; expected at most {MAX_LENGTH} bytes")
        if len(split(value, "*")) > MAX_STARS + 1:
            raise bad_request("filters", f"{shown(value)}; expected at most {MAX_STARS} times *")
    patterns = tuple(tuple(unescaped(piece) for piece in split(value, "*")) for value in values)
    by = property_of(matched["property"].strip(), "filters")
    if by in OF_VISITS:
        raise bad_request("filters", f"{by} is no filter; expected one of {', '.join(FILTERED)}")
    return Filter(by, patterns, matched["operator"] == "!=")


def property_of(name: str, field: str) -> Property:
    """Return the property with a name. Raises ApiError for `field`."""
    try:
        return Property(name)
    except ValueError:
        expected = ", ".join(Property)
        raise bad_request(field, f"{shown(name)}; expected one of {expected}") from None
