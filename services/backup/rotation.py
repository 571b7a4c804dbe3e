"""Which backups in a folder are kept, and when the next one is due, without clock or disk."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec


class Kept(msgspec.Struct, frozen=True, order=True):
    """One complete backup: when it was begun, UTC, and whether it was restored on trial."""

    at: datetime
    name: str
    verified: bool = False


class Rule(msgspec.Struct, frozen=True):
    """For how many days and weeks (from Monday, UTC) the newest backup of each is kept."""

    days: int
    weeks: int = 0


def superfluous(backups: Sequence[Kept], rule: Rule, now: datetime) -> list[Kept]:
    """Return the backups that may be removed, oldest first.

    Days and weeks without a backup do not count, so a pause costs no backups. The newest one stays,
    the newest verified one stays, and so do those that seem to be from the future: a wrong clock
    must not delete anything.
    """
    past = sorted((backup for backup in backups if backup.at <= now), reverse=True)
    keep = set(past[:1])
    keep.update([backup for backup in past if backup.verified][:1])
    for number, period in ((rule.days, "%Y-%j"), (rule.weeks, "%G-%V")):
        newest: dict[str, Kept] = {}
        for backup in past:
            newest.setdefault(backup.at.strftime(period), backup)
        keep.update(list(newest.values())[:number])
    return [backup for backup in reversed(past) if backup not in keep]


def wait(backups: Sequence[Kept], every: timedelta, now: datetime) -> timedelta:
    """Return how long the next backup may wait: not at all if there is none yet.

    Those that seem to be from the future do not count, or a clock that was once ahead would stop
    all backups until then.
    """
    past = [backup.at for backup in backups if backup.at <= now]
    return max(timedelta(), max(past) + every - now) if past else timedelta()
