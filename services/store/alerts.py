"""Alerts: which sites are watched, what happened to them, and who was told of it."""

from collections.abc import Sequence
from typing import NamedTuple

from services.store.interface import Store

_SEPARATOR = "\n"


class AlertRule(NamedTuple):
    """What the editors of a site want to be told of, and where; the newest version counts.

    site           the name that the site is kept under
    version        the time in ms is a good one
    addresses      to whom; nobody is told, and nothing watched, where there is none
    silent_hours   hours of the day without a view; 0 where silence is not told
    spike_percent  above what is usual, and `drop_percent` below it; 0 where that is not told
    """

    site: str
    version: int
    addresses: Sequence[str]
    lang: str
    silent_hours: int
    spike_percent: int
    drop_percent: int
    author: str = ""


class AlertEvent(NamedTuple):
    """Something that happened to a site; the newest version of it counts. Times in ms since 1970.

    kind       silent, spike or drop
    noticed    when, and `ended` when it was noticed to be over; 0 while it is not
    since      the hours that show it, up to `until`; of a silence, the last view before
    seen       views of these hours, and `usual` those of the same hours of the weeks before
    told       when the message of its beginning went out, and `end_told` that of its end; or 0
    end_since  the hours that show its end, and so on; of a silence, the first view known after it
    dismissed  1 where nobody is to be told of its end any more
    failures   how often the next message could not be sent, and the last problem
    """

    site: str
    id: str
    version: int
    kind: str
    noticed: int
    since: int
    until: int = 0
    seen: int = 0
    usual: int = 0
    told: int = 0
    ended: int = 0
    end_since: int = 0
    end_until: int = 0
    end_seen: int = 0
    end_usual: int = 0
    end_told: int = 0
    dismissed: int = 0
    failures: int = 0
    problem: str = ""


_RULES = """
SELECT site, max(version), argMax(addresses, version), argMax(lang, version),
    argMax(silent_hours, version), argMax(spike_percent, version), argMax(drop_percent, version),
    argMax(author, version)
FROM alert_rules
{where}
GROUP BY site
ORDER BY site
"""

_NEWEST = ", ".join(f"argMax({name}, version) AS new_{name}" for name in AlertEvent._fields[3:])
_UNFINISHED = f"""
SELECT site, id, max(version), {_NEWEST}
FROM alert_events
WHERE noticed >= %(since)s
GROUP BY site, id
HAVING new_ended = 0 OR (new_end_told = 0 AND new_dismissed = 0)
ORDER BY new_noticed, site, id
"""  # noqa: S608  # names of ours
_RECENT = f"""
SELECT site, id, max(version), {_NEWEST}
FROM alert_events
WHERE site = %(site)s
GROUP BY site, id
ORDER BY new_noticed DESC, id
LIMIT %(limit)s
"""  # noqa: S608  # names of ours


async def rules(store: Store) -> list[AlertRule]:
    """Return the rules of every site that has some. Raises StoreError."""
    return [_rule(*row) for row in await store.execute(_RULES.format(where=""))]


async def rule_of(store: Store, site: str) -> AlertRule | None:
    """Return the rules of a site; None where it has none. Raises StoreError."""
    statement = _RULES.format(where="WHERE site = %(site)s")
    return next((_rule(*row) for row in await store.execute(statement, {"site": site})), None)


async def save_rule(store: Store, rule: AlertRule) -> None:
    """Write the rules of a site. Raises StoreError."""
    fields = rule._asdict() | {"addresses": _SEPARATOR.join(rule.addresses)}
    await store.insert("alert_rules", {name: [value] for name, value in fields.items()})


async def unfinished(store: Store, since: int) -> list[AlertEvent]:
    """Return what goes on, or whose end nobody was told of, the oldest first. Raises StoreError.

    since  what was noticed earlier is left out, in ms since 1970
    """
    return [AlertEvent(*row) for row in await store.execute(_UNFINISHED, {"since": since})]


async def recent(store: Store, site: str, limit: int) -> list[AlertEvent]:
    """Return the last events of a site, the newest first. Raises StoreError."""
    parameters = {"site": site, "limit": limit}
    return [AlertEvent(*row) for row in await store.execute(_RECENT, parameters)]


async def save_events(store: Store, events: Sequence[AlertEvent]) -> None:
    """Write events, or what changed of them. Raises StoreError."""
    if events:
        columns = zip(*events, strict=True)
        await store.insert(
            "alert_events", dict(zip(AlertEvent._fields, map(list, columns), strict=True))
        )


def _rule(site: str, version: int, addresses: str, *rest: object) -> AlertRule:
    return AlertRule(site, version, tuple(addresses.split()), *rest)  # type: ignore[arg-type]
