"""What goes wrong with shared state."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError


class StateError(Exception):
    """The shared state cannot be read or written now; the message never holds what was sent."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise StateError where the server or the connection to it fails.

    The text of an error of a pipeline holds the arguments of its command, so only the kind of the
    error and what the server itself said of it are kept.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        raise StateError(_described(error)) from None


def _described(error: Exception) -> str:
    said = str(error).rpartition("of pipeline caused error: ")[2]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
