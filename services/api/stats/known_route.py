"""Routes of queries, which refuse unknown parameters."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.http.known_parameters import query_parameters, refuse_unknown

IGNORED = frozenset({"_", "auth", "with_imported"})
"""What clients of Plausible send and Luot does not use: a cache buster, a token (which belongs in
the header), and whether imported views count, which they always do."""
OTHERS = frozenset(
    {"compare", "date", "filters", "interval", "limit", "metrics", "page", "period", "property"}
)
"""What other routes of Plausible's version 1 take: clients send the same set to all."""


class KnownRoute(APIRoute):
    """Says which query parameter is misspelt, and what was probably meant."""

    taken_everywhere = OTHERS

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, after the check for unknown parameters."""
        handle = super().get_route_handler()
        known = query_parameters(self.dependant) | self.taken_everywhere

        async def guarded(request: Request) -> Response:
            refuse_unknown(request.query_params, known, IGNORED)
            return await handle(request)

        return guarded


class BodyRoute(KnownRoute):
    """A route that reads its body and no query parameters."""

    taken_everywhere = frozenset()
