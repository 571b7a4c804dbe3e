"""Routes of queries, which refuse parameters that no query has."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.http.known_parameters import query_parameters, refuse_unknown

IGNORED = frozenset({"_", "auth", "with_imported"})
"""What clients of Plausible send and Luot has no use for: what keeps answers out of caches, a token
(which belongs into the header), and whether imported views count, which they do always."""
OTHERS = frozenset(
    {"compare", "date", "filters", "interval", "limit", "metrics", "page", "period", "property"}
)
"""What other routes of Plausible's version 1 take: clients send one set of them to all."""


class KnownRoute(APIRoute):
    """Says which parameter of the address is misspelt, and how it may have been meant."""

    taken_everywhere = OTHERS

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, behind the refusal."""
        handle = super().get_route_handler()
        known = query_parameters(self.dependant) | self.taken_everywhere

        async def guarded(request: Request) -> Response:
            refuse_unknown(request.query_params, known, IGNORED)
            return await handle(request)

        return guarded


class BodyRoute(KnownRoute):
    """One that reads its body, and nothing of the address."""

    taken_everywhere = frozenset()
