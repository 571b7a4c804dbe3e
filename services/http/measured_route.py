"""A plain route by which requests are measured."""

from starlette.routing import Match, Route
from starlette.types import Scope


class MeasuredRoute(Route):
    """Leaves itself in the scope of a request, as FastAPI's own routes do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Route."""
        match, more = super().matches(scope)
        return match, more if match is Match.NONE else {**more, "route": self}
