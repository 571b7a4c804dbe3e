"""Days and hours that do not end while a test runs."""

import time
from datetime import UTC, datetime

HOUR_SECONDS = 3600
ROOM_SECONDS = 180
"""What a test of a budget takes at most, on a machine that is busy."""


def zone_at_noon() -> str:
    """Return a zone where it is between noon and one o'clock now.

    For a test that counts hits of now and asks for those of the day: in a zone of its own choice it
    would fail when midnight passes there between the two. An hour ago is today there, too.
    """
    # By the clock of these names, what is east of Greenwich is negative.
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


def wait_for_room_in_the_hour() -> None:
    """Return when the hour does not end soon: budgets of addresses and sites begin anew with it."""
    left = HOUR_SECONDS - time.time() % HOUR_SECONDS
    if left < ROOM_SECONDS:
        time.sleep(left + 0.1)
