"""The lock for sending reports: one API process at a time sends."""

from services.state import keys
from services.state.lock import StateLock
from services.state.state import State

LOCK_SECONDS = 600.0
"""Longer than a round of sending may take; a round ends before."""


def report_lock(state: State) -> StateLock:
    """Return the lock, not yet acquired; a process that does not get it at once does not wait."""
    return StateLock(state, keys.SENDING_REPORTS, seconds=LOCK_SECONDS, wait_seconds=0.1)
