"""Describes the public routes, which FastAPI does not know, in the OpenAPI document."""

import copy
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI

from services.api.counter import paths, routes
from services.api.openapi import embed
from services.model.display import (
    MAX_DIGITS,
    Format,
    Gap,
    Icons,
    Lang,
    Layout,
    Odometer,
    Preset,
    Theme,
)
from services.model.lines import PERIODS, Line
from services.model.site import Metric
from services.model.wordings import Wording

REQUIRED = "required"
"""What the description of a parameter begins with that must be given."""
_COUNTS = [period.value for period in PERIODS]
_WHOLE = {"type": "integer", "minimum": 0}
_VIEWS = {
    "type": "object",
    "required": ["views", "today"],
    "properties": {"views": _WHOLE, "today": _WHOLE},
}
_DOWNLOADS = {
    "type": "object",
    "required": ["downloads", "today"],
    "properties": {"downloads": _WHOLE, "today": _WHOLE},
}
_COUNTER = {
    "type": "object",
    "required": ["site", "as_of", "timezone", "metric", "stale", "since", "online", *_COUNTS],
    "properties": {
        "site": {"type": "string"},
        "as_of": {"type": "string", "format": "date-time"},
        "timezone": {"type": "string"},
        "metric": {"type": "string", "enum": list(Metric)},
        "stale": {"type": "boolean"},
        "since": {"type": "string", "format": "date"},
        **dict.fromkeys(("online", "bots", "guests"), _WHOLE),
        **dict.fromkeys(_COUNTS, _WHOLE),
        "peak": {
            "type": "object",
            "properties": {
                "online": _WHOLE,
                "at": {"type": ["string", "null"], "format": "date-time"},
            },
        },
        "display": {
            "type": "object",
            "description": "what is set of the block on the site; absent when nothing is",
            "additionalProperties": False,
            "properties": {
                "lines": {"type": "array", "items": {"type": "string", "enum": list(Line)}},
                "lang": {"type": "string", "enum": list(Lang)},
                "theme": {"type": "string", "enum": list(Theme)},
                "preset": {"type": "string", "enum": list(Preset)},
                "digits": {"type": "integer", "minimum": 0, "maximum": MAX_DIGITS},
                "format": {"type": "string", "enum": list(Format)},
                "heading": {"type": "string"},
                "icons": {"type": "string", "enum": list(Icons)},
                "layout": {"type": "string", "enum": list(Layout)},
                "odometer": {"type": "string", "enum": list(Odometer)},
                "wording": {"type": "string", "enum": list(Wording)},
                "unit": {"type": "string"},
                "gap": {"type": "string", "enum": list(Gap)},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "paths": {"type": "object", "additionalProperties": _VIEWS},
        "downloads": {"type": "object", "additionalProperties": _DOWNLOADS},
    },
}
_ERRORS = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "error": {"type": "string", "description": "the same as one text, in the Stats API"},
    },
}
_PATHS = {
    "type": "array",
    "maxItems": paths.MAX_PATHS,
    "items": {"type": "string", "maxLength": paths.MAX_LENGTH},
}
_OPERATION = {
    "summary": "Counter",
    "description": "The numbers of a site. With `stale`, the last good ones: the store is away.",
    "operationId": "counter",
    "tags": ["public"],
    "parameters": [
        {"name": "site", "in": "path", "required": True, "schema": {"type": "string"}},
        {
            "name": "metric",
            "in": "query",
            "description": "another measure than the site's own",
            "schema": {"type": "string", "enum": list(Metric)},
        },
        {
            "name": "path",
            "in": "query",
            "description": "adds the views of these pages to the answer",
            "schema": _PATHS,
        },
        {
            "name": "download",
            "in": "query",
            "description": "adds the downloads of these files to the answer",
            "schema": _PATHS,
        },
    ],
}


def describe_public(app: FastAPI) -> None:
    """Add the public routes to what `app.openapi()` returns, and the one shape of errors."""
    generate = app.openapi

    def completed() -> dict[str, Any]:
        description = generate()
        if routes.PATH not in description["paths"]:
            described = {routes.PATH: _operation(), **embed.OPERATIONS}
            first = {path: {"get": operation} for path, operation in described.items()}
            description["paths"] = copy.deepcopy(first) | description["paths"]
            for methods in description["paths"].values():
                for operation in methods.values():
                    operation["responses"].pop("422", None)
                    operation["responses"]["default"] = _answer("Refused", _ERRORS)
                    _require(operation.get("parameters", ()))
        return description

    app.openapi = completed  # type: ignore[method-assign]


def _require(parameters: Iterable[dict[str, Any]]) -> None:
    """Say which parameters are required: FastAPI is not told, so that strangers are refused first.

    Their description says so.
    """
    for parameter in parameters:
        if parameter.get("description", "").startswith(REQUIRED):
            parameter["required"] = True
            schema = parameter["schema"]
            (one,) = [kind for kind in schema.pop("anyOf", [{}]) if kind.get("type") != "null"]
            parameter["schema"] = one | schema


def _operation() -> dict[str, Any]:
    responses = {"200": _answer("The numbers", _COUNTER), "304": {"description": "Unchanged"}}
    return {**_OPERATION, "responses": responses}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
