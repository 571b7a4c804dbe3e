"""Checks the log before hits are taken."""

from services.log.errors import LogRefusedError
from services.log.interface import Log


class RefusedError(Exception):
    """Ingest must not start; the message says why and what to do."""


async def check_log(log: Log, *, unsafe_eviction: bool) -> None:
    """Make sure that the log evicts nothing and has the expected number of partitions.

    Raises RefusedError, or LogError when the server is unreachable.
    """
    try:
        await log.check(unsafe_eviction=unsafe_eviction)
    except LogRefusedError as error:
        raise RefusedError(str(error)) from None
