"""Describes the public routes that FastAPI does not know: badge, page, text, most read pages."""

from typing import Any

from services.api.counter import embed_routes, paths, top
from services.api.counter.embed_options import LABEL
from services.model.display import CHOICES, MAX_DIGITS, MAX_HEADING, MAX_LABEL, MAX_UNIT
from services.model.lines import Line
from services.model.site import Metric

_SITE = {"name": "site", "in": "path", "required": True, "schema": {"type": "string"}}
_LINE = "[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufffe\\uffff]*"
_NAMES = "|".join(Line)
_COLOURS = {
    "color": "of the words; lines and frame are a shade of it",
    "background": "of the block, and of a heading that has none of its own",
    "accent": "of numbers, digits and icons",
}


def _option(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_OPTIONS = [
    _SITE,
    _option(
        "lines",
        "what is shown, in order, with commas between",
        type="string",
        pattern=f"^(({_NAMES})(,({_NAMES}))*)?$",
    ),
    *(
        _option(name, choice.description, type="string", enum=list(choice.values))
        for name, choice in CHOICES.items()
    ),
    _option("metric", "another measure than the site's own", type="string", enum=list(Metric)),
    _option(
        "digits",
        "above 0, the total stands on top with that many digits",
        type="integer",
        minimum=0,
        maximum=MAX_DIGITS,
    ),
    _option(
        "heading",
        "text over the block, empty for none",
        type="string",
        maxLength=MAX_HEADING,
        pattern=f"^{_LINE}$",
    ),
    _option(
        "unit",
        "the word after each number but those online",
        type="string",
        maxLength=MAX_UNIT,
        pattern=f"^{_LINE}$",
    ),
    *(
        _option(name, about, type="string", pattern="^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$")
        for name, about in _COLOURS.items()
    ),
    *(
        _option(
            LABEL + line, "another label", type="string", maxLength=MAX_LABEL, pattern=f"^{_LINE}$"
        )
        for line in Line
    ),
    _option(
        "path",
        "the views of this page instead of the block; not with lines, digits, metric or a label",
        type="string",
        maxLength=paths.MAX_LENGTH,
        pattern="^/",
    ),
]


def _drawn(summary: str, name: str, media_type: str, description: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "description": f"{description} A view of it is not a hit. An unknown option is refused.",
        "operationId": name,
        "tags": ["public"],
        "parameters": _OPTIONS,
        "responses": {
            "200": {
                "description": "The numbers",
                "content": {media_type: {"schema": {"type": "string"}}},
            },
            "304": {"description": "Unchanged"},
        },
    }


_TOP = {
    "summary": "Most read pages",
    "description": "The pages with the most views, if the site allows it (`public_top`), without"
    " those that it hides and those with fewer than `min_visitors` visitors in the period.",
    "operationId": "top",
    "tags": ["public"],
    "parameters": [
        _SITE,
        _option(
            "period",
            "the site's days up to today",
            type="string",
            enum=list(top.TopPeriod),
            default=top.TopPeriod.WEEK.value,
        ),
        _option(
            "limit",
            "how many pages",
            type="integer",
            minimum=1,
            maximum=top.MAX_LIMIT,
            default=top.DEFAULT_LIMIT,
        ),
    ],
    "responses": {
        "200": {
            "description": "The pages, the most read first",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": [
                            *("site", "as_of", "period", "stale", "pages"),
                            *("host", "hash_routes", "min_visitors", "withheld"),
                        ],
                        "properties": {
                            "site": {"type": "string"},
                            "as_of": {"type": "string", "format": "date-time"},
                            "period": {"type": "string", "enum": list(top.TopPeriod)},
                            "stale": {"type": "boolean"},
                            "host": {
                                "type": "string",
                                "description": "the site's first host that is no pattern, where the"
                                " pages are; empty if it has none",
                            },
                            "hash_routes": {
                                "type": "boolean",
                                "description": "routes in the fragment are paths: the page `/tin/1`"
                                " may be at `/#/tin/1`",
                            },
                            "min_visitors": {
                                "type": "integer",
                                "minimum": 0,
                                "description": "visitors that a page needs to be listed",
                            },
                            "withheld": {
                                "type": "integer",
                                "minimum": 0,
                                "description": "pages that would be above the last one listed, but"
                                " have too few visitors",
                            },
                            "pages": {
                                "type": "array",
                                "maxItems": top.MAX_LIMIT,
                                "items": {
                                    "type": "object",
                                    "required": ["path", "views"],
                                    "properties": {
                                        "path": {"type": "string"},
                                        "views": {"type": "integer", "minimum": 0},
                                        "title": {
                                            "type": "string",
                                            "description": "where it is known, if the site shows"
                                            " titles in this list",
                                        },
                                    },
                                },
                            },
                        },
                    }
                }
            },
        },
        "304": {"description": "Unchanged"},
    },
}

OPERATIONS: dict[str, dict[str, Any]] = {
    top.PATH: _TOP,
    embed_routes.SVG: _drawn(
        "Badge", "badge", "image/svg+xml", "The block as an image, its text as text."
    ),
    embed_routes.HTML: _drawn("Page", "page", "text/html", "The block as a page for an iframe."),
    embed_routes.TXT: _drawn(
        "Text", "text", "text/plain", "The numbers, one a line, for server-side includes."
    ),
}
