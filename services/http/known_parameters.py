"""Refuses unknown parameters: a misspelt one would otherwise be ignored silently."""

import difflib
from collections.abc import Collection, Iterable

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query

from services.http.errors import bad_request, shown

MAX_NAME = 80
"""Characters of a name that are compared with the known ones."""


def query_parameters(dependant: Dependant) -> frozenset[str]:
    """Return the names that a route and its dependencies read from the query string."""
    fields = get_flat_params(dependant)
    return frozenset(field.alias for field in fields if isinstance(field.field_info, Query))


def refuse_unknown(
    given: Iterable[str], known: Collection[str], ignored: Collection[str] = ()
) -> None:
    """Raise ApiError, 400, for the first unknown name; it suggests a similar one.

    ignored  names that are accepted and have no effect
    """
    for name in given:
        if name not in known and name not in ignored:
            raise bad_request(name[:MAX_NAME], _why(name[:MAX_NAME], known))


def _why(name: str, known: Collection[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        return f"there is no such parameter; expected perhaps {shown(near[0])}"
    if not known:
        return "there is no such parameter; expected none in the address"
    return f"there is no such parameter; expected one of {', '.join(sorted(known))}"
