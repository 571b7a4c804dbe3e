"""What must be true of the log before a hit is taken."""

from services.log.errors import LogRefusedError
from services.log.interface import Log


class RefusedError(Exception):
    """Ingest must not start; the message says why and what to do."""


async def check_log(log: Log, *, unsafe_eviction: bool) -> None:
    """Make sure that the log keeps what it is given and has the partitions we have.

    Raises RefusedError, or LogError when the server cannot be asked.
    """
    try:
        await log.check(unsafe_eviction=unsafe_eviction)
    except LogRefusedError as error:
        raise RefusedError(str(error)) from None
