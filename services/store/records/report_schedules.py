"""Which reports are sent by e-mail, and their state."""

from collections.abc import Sequence
from typing import NamedTuple

from services.model.calendar import to_day
from services.store.interface import Store

_SEPARATOR = "\n"


class ReportSchedule(NamedTuple):
    """A report that is sent when its period is over; the newest version of it counts.

    site       the name that the site, or the group, is kept under
    version    the time in ms is a good one
    addresses  recipients
    author     who made it, and `at` when, in ms since 1970
    """

    site: str
    id: str
    version: int
    removed: int
    period: str
    lang: str
    opening: str
    addresses: Sequence[str]
    author: str
    at: int


class ReportSending(NamedTuple):
    """The state of a schedule.

    sent      the last day of the newest period that was sent, in days since 1970-01-01
    sent_at   when, in ms since 1970; 0 if none was
    failures  how often sending the next one failed
    problem   why; without failures, who did not get the last one, and why
    """

    site: str
    id: str
    version: int
    sent: int
    sent_at: int = 0
    failures: int = 0
    problem: str = ""


_SCHEDULES = """
SELECT site, id, max(version), argMax(removed, version) AS gone, argMax(period, version),
    argMax(lang, version), argMax(opening, version), argMax(addresses, version),
    argMax(author, version), argMax(at, version) AS made
FROM report_schedules
GROUP BY site, id
HAVING gone = 0
ORDER BY site, made, id
"""

_SENDINGS = """
SELECT site, id, max(version), argMax(sent, version), argMax(sent_at, version),
    argMax(failures, version), argMax(problem, version)
FROM report_sendings
GROUP BY site, id
"""


async def load(store: Store) -> list[ReportSchedule]:
    """Return every schedule that was not removed, oldest first per site. Raises StoreError."""
    rows = await store.execute(_SCHEDULES)
    return [
        ReportSchedule(
            site, id_, version, removed, period, lang, opening, addresses.split(_SEPARATOR), who, at
        )
        for site, id_, version, removed, period, lang, opening, addresses, who, at in rows
    ]


async def save(store: Store, schedule: ReportSchedule) -> None:
    """Write a schedule, or that it was removed. Raises StoreError."""
    fields = schedule._asdict() | {"addresses": _SEPARATOR.join(schedule.addresses)}
    await store.insert("report_schedules", {name: [value] for name, value in fields.items()})


async def sendings(store: Store) -> dict[tuple[str, str], ReportSending]:
    """Return the state of each schedule, by site and id. Raises StoreError."""
    rows = await store.execute(_SENDINGS)
    return {
        (site, id_): ReportSending(site, id_, version, to_day(sent), *rest)
        for site, id_, version, sent, *rest in rows
    }


async def mark(store: Store, sending: ReportSending) -> None:
    """Write the state of a schedule. Raises StoreError."""
    await store.insert(
        "report_sendings", {name: [value] for name, value in sending._asdict().items()}
    )
