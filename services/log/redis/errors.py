"""Errors of Redis as errors of the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from services.log.errors import LogDisconnectedError, LogError


@contextmanager
def translated() -> Iterator[None]:
    """Raise LogError where the server or the connection to it fails."""
    try:
        yield
    except (RedisConnectionError, ReadOnlyError) as error:
        raise LogDisconnectedError(_said(error)) from None
    except (RedisError, OSError) as error:
        raise LogError(_said(error)) from None


def _said(error: Exception) -> str:
    """Return the text of an error without the arguments of its command.

    Errors of a pipeline quote them, and so does the server's answer to an unknown command.
    """
    text = str(error).rpartition("of pipeline caused error: ")[2]
    return text.partition(", with args beginning with")[0] or type(error).__name__
