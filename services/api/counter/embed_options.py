"""Parses the query of a badge, page or text, whose options override the site's settings."""

from typing import Any, NamedTuple

import msgspec

from services.api.counter import parameters, paths
from services.http.errors import bad_request, shown
from services.model.colours import Colours, hexadecimal
from services.model.display import CHOICES, MAX_DIGITS, Display, Look
from services.model.lines import Line
from services.model.site import Metric, Site

LABEL = "label-"
NAMES = (
    "lines",
    *CHOICES,
    *Colours._fields,
    "digits",
    "heading",
    "unit",
    "metric",
    "path",
    *(LABEL + line for line in Line),
)

# A page has one number, its views.
_NOT_OF_A_PAGE = ("lines", "digits", "metric", LABEL)


class EmbedOptions(NamedTuple):
    """The parsed query.

    path     of the page whose views are shown instead of the block: as given, and as counted
    heading  as given in the query, None when it is not
    """

    look: Look
    metric: Metric
    path: tuple[str, str] | None
    heading: str | None


def parse(query: bytes, site: Site) -> EmbedOptions:
    """Parse a query. Raises ApiError for an unknown option or a bad value."""
    given: dict[str, str] = {}
    for name, value in parameters.fields(query):
        if name not in NAMES:
            raise bad_request(shown(name), f"unknown option; expected one of {', '.join(NAMES)}")
        if name in given:
            raise bad_request(name, f"{shown(given[name])} and {shown(value)}; expected it once")
        given[name] = value
    display = _display(given)
    page = given.get("path")
    colours = Colours(
        **{name: _colour(name, given[name]) for name in Colours._fields if name in given}
    )
    if page is None:
        look = _painted(Look.of(display.over(site.display)), colours)
        metric = parameters.metric(given["metric"]) if "metric" in given else None
        return EmbedOptions(look, site.measure(metric), None, display.heading)
    for name in given:
        if name.startswith(_NOT_OF_A_PAGE):
            raise bad_request(name, "with path; expected one of both: a page has views only")
    whole = msgspec.structs.replace(display, lines=(), digits=0, heading=display.heading or "")
    look = _painted(Look.of(whole.over(site.display)), colours)
    counted = paths.counted(page, site)
    return EmbedOptions(look, site.measure(), (page, counted), display.heading)


def _display(given: dict[str, str]) -> Display:
    fields: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for name, value in given.items():
        if name in CHOICES:
            fields[name] = parameters.one_of(name, value, list(CHOICES[name].values))
        elif name == "lines":
            fields[name] = [parameters.one_of(name, line, list(Line)) for line in _split(value)]
        elif name == "digits":
            fields[name] = _digits(value)
        elif name in ("heading", "unit"):
            fields[name] = value
        elif name.startswith(LABEL):
            labels[name.removeprefix(LABEL)] = value
    try:
        return msgspec.convert(fields | ({"labels": labels} if labels else {}), Display)
    except msgspec.ValidationError as error:
        field, _, problem = str(error).partition(" - at `$")[0].partition(": ")
        raise bad_request(field, problem) from None


def _colour(name: str, value: str) -> str:
    try:
        return hexadecimal(value)
    except ValueError as error:
        raise bad_request(name, f"{shown(value)}; {error}") from None


def _painted(look: Look, colours: Colours) -> Look:
    return msgspec.structs.replace(look, colours=colours)


def _split(value: str) -> list[str]:
    return [line.strip() for line in value.split(",")] if value.strip() else []


def _digits(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 3 and int(value) <= MAX_DIGITS):
        raise bad_request("digits", f"{shown(value)}; expected a whole number, 0 to {MAX_DIGITS}")
    return int(value)
