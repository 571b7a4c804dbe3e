"""What can become of a hit of the probe."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """The one list of outcomes."""

    OK = "ok"
    """The number showed the hit in time."""
    LATE = "late"
    """The hit was accepted, and the number did not show it in time."""
    REFUSED = "refused"
    """There was an answer, and the hit was not taken, or the number was not to be had."""
    UNREACHABLE = "unreachable"
    """There was no answer in time: of a hit, nobody knows whether it was taken."""


class ProbeResult(msgspec.Struct, frozen=True):
    """One hit: what became of it, in words for people, and the seconds until it was shown."""

    outcome: Outcome
    said: str
    seconds: float | None = None
