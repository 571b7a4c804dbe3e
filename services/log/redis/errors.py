"""Errors of Redis as errors of the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from services.log.errors import LogDisconnectedError, LogError
from services.redis_client.client import reason_of

_SEALED = "The stream has exhausted the last possible ID"
"""Redis's error for a stream whose last id is the greatest possible."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise LogError when the server or the connection to it fails."""
    try:
        yield
    except (RedisConnectionError, ReadOnlyError) as error:
        raise LogDisconnectedError(reason_of(error)) from None
    except (RedisError, OSError) as error:
        if (reason := reason_of(error)).startswith(_SEALED):
            raise LogError("this log takes no entry any more: it is moved, or was") from None
        raise LogError(reason) from None
