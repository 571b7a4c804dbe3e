"""The id of the request that is being answered, for log lines and the header X-Request-Id.

A proxy may give one; otherwise it is made when first needed, so a request that logs nothing costs
no id.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = b"x-request-id"
SCOPE = "luot.request_id"
"""Where our protocol leaves the id of a proxy in the scope of a request: bytes, or None."""

# Short, on one line, and without dots and colons: no address of anybody fits into it.
_SANE = re.compile(rb"[A-Za-z0-9_-]{8,64}")


def sane(value: bytes) -> bytes | None:
    """Return an id of a proxy as it may be logged and sent back; None when it may not."""
    return value if _SANE.fullmatch(value) else None


class RequestId:
    """The id of one request, given or not made yet."""

    __slots__ = ("_given",)

    def __init__(self, given: bytes | None) -> None:
        self._given = given

    def __bytes__(self) -> bytes:
        if self._given is None:
            self._given = secrets.token_hex(8).encode()
        return self._given


_current: ContextVar[RequestId | None] = ContextVar("request_id", default=None)


def use(given: bytes | None) -> RequestId:
    """Begin a request in this task, with the id of a proxy or without one."""
    request_id = RequestId(given)
    _current.set(request_id)
    return request_id


@contextmanager
def bound(given: bytes | None) -> Iterator[bytes]:
    """Answer a request outside of a task of its own, meanwhile."""
    request_id = RequestId(given)
    before = _current.set(request_id)
    try:
        yield bytes(request_id)
    finally:
        _current.reset(before)


def current() -> str:
    """Return the id of the request that this task answers; '' where it answers none."""
    request_id = _current.get()
    return "" if request_id is None else bytes(request_id).decode("ascii")
