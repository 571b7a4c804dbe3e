"""The possible outcomes of a hit of the probe."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """The one list of outcomes."""

    OK = "ok"
    """The public number showed the hit in time."""
    LATE = "late"
    """The hit was accepted, but the number did not show it in time."""
    REFUSED = "refused"
    """There was a response, but the hit was not accepted, or there was no number."""
    UNREACHABLE = "unreachable"
    """There was no response in time; it is unknown whether a hit was accepted."""


class ProbeResult(msgspec.Struct, frozen=True):
    """One hit: its outcome, that as text for people, and the seconds until it was shown."""

    outcome: Outcome
    said: str
    seconds: float | None = None
