"""Alerts: which sites are watched, what happened to them, and who was told of it."""

from collections.abc import Sequence
from typing import NamedTuple

from services.store.interface import Store

_SEPARATOR = "\n"


class AlertRule(NamedTuple):
    """What the editors of a site want to be notified of, and where; the newest version counts.

    site           the name that the site is kept under
    version        the time in ms is a good one
    addresses      recipients; without any, nothing is watched
    silent_hours   hours of the day without a view; 0 for no alert on silence
    spike_percent  above the usual, and `drop_percent` below it; 0 for no alert
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
    noticed    when it was noticed, and `ended` when its end was; 0 while it is not over
    since      start of the hours that show it, up to `until`; for a silence, the last view before
    seen       views in these hours, and `usual` those in the same hours of previous weeks
    told       when the message about its start was sent, and `end_told` that about its end; or 0
    end_since  the hours that show its end, and so on; for a silence, the first known view after it
    dismissed  1 if no message about its end is to be sent any more
    failures   how often sending the next message failed, and the last problem
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
    """Return the rules of a site; None if it has none. Raises StoreError."""
    statement = _RULES.format(where="WHERE site = %(site)s")
    return next((_rule(*row) for row in await store.execute(statement, {"site": site})), None)


async def save_rule(store: Store, rule: AlertRule) -> None:
    """Write the rules of a site. Raises StoreError."""
    fields = rule._asdict() | {"addresses": _SEPARATOR.join(rule.addresses)}
    await store.insert("alert_rules", {name: [value] for name, value in fields.items()})


async def unfinished(store: Store, since: int) -> list[AlertEvent]:
    """Return open events, and those whose end was not notified, oldest first. Raises StoreError.

    since  events noticed earlier are left out, in ms since 1970
    """
    return [AlertEvent(*row) for row in await store.execute(_UNFINISHED, {"since": since})]


async def recent(store: Store, site: str, limit: int) -> list[AlertEvent]:
    """Return the last events of a site, newest first. Raises StoreError."""
    parameters = {"site": site, "limit": limit}
    return [AlertEvent(*row) for row in await store.execute(_RECENT, parameters)]


async def save_events(store: Store, events: Sequence[AlertEvent]) -> None:
    """Write events, new or changed. Raises StoreError."""
    if events:
        columns = zip(*events, strict=True)
        await store.insert(
            "alert_events", dict(zip(AlertEvent._fields, map(list, columns), strict=True))
        )


def _rule(site: str, version: int, addresses: str, *rest: object) -> AlertRule:
    return AlertRule(site, version, tuple(addresses.split()), *rest)  # type: ignore[arg-type]
