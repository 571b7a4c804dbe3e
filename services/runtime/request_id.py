"""The id of the current request, for log lines and the header X-Request-Id.

A proxy may send one; otherwise it is generated when first needed, so that a request that logs
nothing needs none.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = b"x-request-id"
SCOPE = "luot.request_id"
"""Key in the scope of a request under which our protocol puts a proxy's id: bytes, or None."""

# Short, on one line, and without dots and colons, so that it cannot contain an IP address.
_SANE = re.compile(rb"[A-Za-z0-9_-]{8,64}")


def sane(value: bytes) -> bytes | None:
    """Return a proxy's id if it is safe to log and send back, else None."""
    return value if _SANE.fullmatch(value) else None


class RequestId:
    """The id of one request, given by a proxy or generated on demand."""

    __slots__ = ("_given",)

    def __init__(self, given: bytes | None) -> None:
        self._given = given

    def __bytes__(self) -> bytes:
        if self._given is None:
            self._given = secrets.token_hex(8).encode()
        return self._given


_current: ContextVar[RequestId | None] = ContextVar("request_id", default=None)


def use(given: bytes | None) -> RequestId:
    """Begin a request in this task, with or without a proxy's id."""
    request_id = RequestId(given)
    _current.set(request_id)
    return request_id


@contextmanager
def bound(given: bytes | None) -> Iterator[bytes]:
    """Handle a request inside this context, without a task of its own."""
    request_id = RequestId(given)
    before = _current.set(request_id)
    try:
        yield bytes(request_id)
    finally:
        _current.reset(before)


def current() -> str:
    """Return the id of the request that this task handles; '' if there is none."""
    request_id = _current.get()
    return "" if request_id is None else bytes(request_id).decode("ascii")
