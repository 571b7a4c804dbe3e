"""Errors of shared state."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError


class StateError(Exception):
    """The shared state cannot be read or written now; the message never holds what was sent."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise StateError where the server or the connection to it fails.

    The text of an error of a pipeline holds the arguments of its command, and so does what the
    server says of a command that it does not know: neither is kept.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        raise StateError(_described(error)) from None


def _described(error: Exception) -> str:
    text = str(error).rpartition("of pipeline caused error: ")[2]
    return text.partition(", with args beginning with")[0] or type(error).__name__
