"""Errors of shared state."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from services.redis_client.client import reason_of


class StateError(Exception):
    """The shared state cannot be read or written now; the message never holds what was sent."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise StateError where the server or the connection to it fails."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StateError(reason_of(error)) from None
