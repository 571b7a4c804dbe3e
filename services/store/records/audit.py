"""The audit log: who changed what, when, and what it was before and after."""

from collections.abc import Collection
from typing import NamedTuple

from services.store.interface import Store

Place = tuple[int, str]
"""The place of an entry in the log: its time and its id."""


class AuditEntry(NamedTuple):
    """One change.

    at       milliseconds since 1970
    failed   1 when the store did not confirm the change
    site     slug, '' for what belongs to no site
    before   JSON, '' for nothing; so is `after`
    """

    at: int
    id: str
    failed: int
    who: str
    action: str
    site: str
    subject: str
    before: str
    after: str


_NEWEST = """
SELECT at, id, max(failed), any(who), any(action), any(site), any(subject), any(before),
    any(after)
FROM audit
WHERE {conditions}
GROUP BY at, id
ORDER BY at DESC, id DESC
LIMIT %(limit)s
"""


async def add(store: Store, entry: AuditEntry) -> None:
    """Write an entry; written again with `failed`, it marks a failed change."""
    await store.insert("audit", {name: [value] for name, value in entry._asdict().items()})


async def newest(
    store: Store,
    limit: int,
    before: Place | None = None,
    sites: Collection[str] | None = None,
    who: str | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> list[AuditEntry]:
    """Return the newest entries, from `before` back; only of some sites, or with these values."""
    conditions = ["1 = 1"]
    parameters: dict[str, object] = {"limit": limit}
    if before is not None:
        conditions.append("(at < %(at)s OR (at = %(at)s AND id < %(id)s))")
        parameters |= {"at": before[0], "id": before[1]}
    if sites is not None:
        if not sites:
            return []
        conditions.append("site IN %(sites)s")
        parameters["sites"] = sorted(sites)
    for column, value in {"who": who, "action": action, "subject": subject}.items():
        if value is not None:
            conditions.append(f"{column} = %({column})s")
            parameters[column] = value
    rows = await store.execute(_NEWEST.format(conditions=" AND ".join(conditions)), parameters)
    return [AuditEntry(*row) for row in rows]
