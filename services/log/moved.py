"""What doctor says of a log that is being moved, or was."""

from services.log.admin import MoveMark, refuse_moved
from services.log.errors import LogError
from services.log.server_check import ServerCheck


def moved_check(mark: MoveMark | None) -> list[ServerCheck]:
    """Return a check that fails if a log accepts nothing because of a move; otherwise none."""
    try:
        refuse_moved(mark)
    except LogError as error:
        return [ServerCheck("move", False, str(error), "see luot log move --help")]
    return []
