"""Parses the query string of a public URL."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl

from services.api.counter import paths
from services.http.errors import ApiError, bad_request, shown
from services.model.site import Metric, Site

MAX_BYTES = 32 * 1024
_PATHS = {"path": "paths", "download": "files"}
MAX_FIELDS = 201
"""The most pages and files that may be requested, plus the measure."""


def fields(query: bytes) -> list[tuple[str, str]]:
    """Return names and values in order. Raises ApiError when it is not UTF-8 or too long."""
    if len(query) > MAX_BYTES:
        raise ApiError(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            {"query": f"{len(query)} bytes; expected at most {MAX_BYTES}"},
        )
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise bad_request("query", f"{shown(query)} is not percent-encoded UTF-8") from None
    except ValueError:
        raise bad_request("query", f"expected at most {MAX_FIELDS} parameters") from None


def metric(value: str) -> Metric:
    """Return the measure of that name. Raises ApiError."""
    return Metric(one_of("metric", value, list(Metric)))


def one_of(name: str, value: str, known: Sequence[str]) -> str:
    """Return the value if it is a known one. Raises ApiError otherwise."""
    if value not in known:
        raise bad_request(name, f"{shown(value)}; expected one of {', '.join(known)}")
    return value


class CounterQuery(NamedTuple):
    """What a request for the counter asks for; pages and files as path as given → as counted."""

    metric: Metric
    paths: dict[str, str]
    files: dict[str, str]


def parse(query: bytes, site: Site) -> CounterQuery:
    """Return what is asked for. Raises ApiError."""
    requested = CounterQuery(site.measure(), {}, {})
    for name, value in fields(query) if query else ():
        if name == "metric":
            requested = requested._replace(metric=site.measure(metric(value)))
        elif name in _PATHS:
            getattr(requested, _PATHS[name])[value] = paths.counted(value, site)
    for name, field in _PATHS.items():
        if (number := len(getattr(requested, field))) > paths.MAX_PATHS:
            raise bad_request(name, f"{number} paths; expected at most {paths.MAX_PATHS}")
    return requested
