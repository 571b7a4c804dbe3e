"""The route of queries of version 2."""

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.api.access.authenticator import authenticate, authenticator
from services.api.access.route import Needed, admit, stats_router
from services.api.stats import answers
from services.api.stats.known_route import BodyRoute
from services.api.stats.periods.spans import Period
from services.api.stats.sites import principal_of, readable, refuse_strangers, summed
from services.api.stats.v1.routes import Stats
from services.api.stats.v2.answers import answered
from services.api.stats.v2.query import checked
from services.api.stats.v2.schema import QueryAnswer, QueryBody
from services.http.departures import unless_gone
from services.http.errors import ApiError, bad_request
from services.http.known_parameters import refuse_unknown
from services.model.account import Role
from services.runtime.json_errors import NOT_JSON

VERSION = "/api/v2/"
PATH = f"{VERSION}query"
MAX_BODY = 64_000
"""Bytes of a query."""


def router(stats: Callable[[], Stats]) -> APIRouter:
    """Return the route; `stats` is called for every request."""
    # Who may read depends on the requested site.
    routes = stats_router(route_class=BodyRoute)

    @routes.post(
        PATH,
        responses={200: {"model": QueryAnswer, "description": "Rows, and the query"}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {answers.JSON: {"schema": _inlined(QueryBody.model_json_schema())}},
            }
        },
    )
    async def query(request: Request) -> Response:
        """Metrics of a period, in all or by one dimension, as Plausible's Stats API v2 has it."""
        if (sender := await authenticate(request)) is not None:
            admit(request, sender, Needed(Role.VIEWER))
        given = await _decoded(request)
        name = given.get("site_id")
        registry = stats().registry
        site = await readable(request, registry, name if isinstance(name, str) else None)
        refuse_unknown(given, QueryBody.model_fields)
        try:
            body = QueryBody.model_validate(given)
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from None
        who = principal_of(request)
        reader = stats().readers.of(who, request)
        since = await reader.first_day(site) if body.date_range == Period.ALL else None
        valid = checked(body, site, stats().today(site), since)
        refuse_strangers(request, valid.asked.site)
        if valid.rows is not None and (who is None or not who.has(site.slug)):
            question = valid.asked.of_shown_pages(valid.rows.by, reader.parts(valid.asked.site))
            valid = msgspec.structs.replace(valid, asked=question)
        answer = await unless_gone(
            request, answered(reader, valid, summed(site, registry), stats().now_ms())
        )
        return Response(
            answer.model_dump_json(exclude_none=True),
            media_type=answers.JSON,
            headers=answers.HEADERS,
        )

    return routes


async def _decoded(request: Request) -> dict[str, Any]:
    """Return the body. Raises ApiError if it is not an object; strangers are refused as such."""
    content = bytearray()
    problem: ApiError | None = None
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            problem = ApiError(413, {"body": f"expected at most {MAX_BODY} bytes"})
            break
    if problem is None:
        try:
            given = msgspec.json.decode(content)
        except NOT_JSON as error:
            problem = bad_request("body", f"it cannot be read as JSON: {error}")
        else:
            if isinstance(given, dict):
                return given
            problem = bad_request("body", 'expected an object: {"site_id": …}')
    if await authenticate(request) is None:
        raise authenticator(request).stranger(request)
    raise problem


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with references to its own definitions inlined."""
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(one) for one in node]
        if not isinstance(node, dict):
            return node
        name = node.get("$ref", "").rpartition("/")[2]
        known = resolved(definitions[name]) if name else {}
        return known | {key: resolved(one) for key, one in node.items() if key != "$ref"}

    inlined: dict[str, Any] = resolved(schema)
    return inlined
