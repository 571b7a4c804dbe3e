"""The ledger of opening balances: single entries, and bulk entries under one id."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import msgspec

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.balances import checks
from services.api.sites.balances.schemas import NewEntry
from services.api.sites.balances.sheet import TableRow, rows_of
from services.api.sites.balances.table import OldNumbers, understood
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.calendar import Grain, to_date
from services.model.site import Site
from services.store.interface import Store, StoreError
from services.store.records import balances as ledger
from services.store.records.balances import BalanceEntry as Entry
from services.store.records.balances import LedgerLine

REVERSAL = "reversal:"

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bulk:
    """A bulk entry as the ledger has it, or would have it.

    entries      by id
    is_new       this request added it
    is_reversed  it was taken back
    """

    id: str
    entries: dict[str, Entry]
    is_new: bool
    is_reversed: bool


class Balances:
    """Reads and writes the ledger of any site."""

    def __init__(self, store: Store, audit: Audit, clock: Callable[[], float]) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        # Check and insert are not atomic in the store, so only one request at a time does them.
        self._entering = asyncio.Lock()
        # Reading a workbook takes memory.
        self._reading = asyncio.Lock()

    async def page(self, site: Site, offset: int, limit: int) -> tuple[list[LedgerLine], int]:
        """Return lines of the list, the oldest first, and how many there are in all."""
        return await asyncio.gather(
            answered(ledger.page(self._store, site.kept_as, offset, limit)),
            answered(ledger.count(self._store, site.kept_as)),
        )

    async def find(self, site: Site, name: str) -> Entry | None:
        """Return a single entry."""
        return (await answered(ledger.find(self._store, site.kept_as, {name}))).get(name)

    async def enter(
        self, who: Principal, site: Site, new: Sequence[NewEntry]
    ) -> tuple[list[Entry], int]:
        """Enter all of them or none; return them as the ledger has them, and how many are new."""
        now_ms = int(self._clock() * 1000)
        today = site.day_of(now_ms)
        requested = [
            checks.entry_of(entry, place, site, today, now_ms, who.name)
            for place, entry in enumerate(new)
        ]
        kept_as = site.kept_as
        async with self._entering:
            recorded = await answered(
                ledger.find(self._store, kept_as, {entry.id for entry in requested})
            )
            fresh = checks.fresh(requested, recorded)
            of_paths = {entry.path for entry in fresh}
            checks.check_sums(fresh, await answered(ledger.sums(self._store, kept_as, of_paths)))
            if fresh:
                added = {
                    entry.id: msgspec.to_builtins(checks.out(entry).model_dump()) for entry in fresh
                }
                async with self._audit.recorded(
                    who, "balance.add", ", ".join(added), site=site.slug, after=added
                ):
                    await answered(ledger.add(self._store, kept_as, fresh))
                log.info(
                    "%d opening balances entered for %s by %s", len(fresh), site.slug, who.name
                )
        entered = recorded | {entry.id: entry for entry in fresh}
        unique = dict.fromkeys(entry.id for entry in requested)
        return [entered[name] for name in unique], len(fresh)

    async def read(self, site: Site, content: bytes) -> OldNumbers:
        """Return what a file says. Raises ApiError, 400, if it is not a table of numbers."""

        def table() -> tuple[str, list[TableRow]]:
            kind, rows = rows_of(content)
            return kind, list(rows)

        async with self._reading:
            kind, rows = await asyncio.to_thread(table)
            return await understood(kind, rows, site, site.day_of(int(self._clock() * 1000)))

    async def bulk(self, site: Site, name: str) -> Bulk | None:
        """Return a bulk entry; None if there is none with this id."""
        entries, reversal = await asyncio.gather(
            answered(ledger.of_bulk(self._store, site.kept_as, name)),
            answered(ledger.of_bulk(self._store, site.kept_as, REVERSAL + name)),
        )
        if not entries:
            return None
        return Bulk(name, entries, is_new=False, is_reversed=bool(reversal))

    async def next_id(self, site: Site, name: str) -> str:
        """Return an id: the name itself or, if it was taken back, one derived from it."""
        one, number = name, 1
        while (bulk := await self.bulk(site, one)) is not None and bulk.is_reversed:
            number += 1
            one = f"{name}:{number}"
        return one

    async def enter_bulk(
        self,
        who: Principal,
        site: Site,
        name: str,
        table: OldNumbers,
        reason: str,
        *,
        dry_run: bool,
        action: str = "balance.import",
    ) -> Bulk:
        """Enter a table as one; the same content under the same id changes nothing.

        action  what the audit log calls it

        Raises ApiError, 409, for an id that was entered with other content, or as a single entry.
        """
        if name.startswith(REVERSAL):
            raise bad_request("id", f"{shown(name)} is the id of a reversal; expected another")
        at = int(self._clock() * 1000)
        entries = {
            one.id: one
            for number, ((path, grain, start), (views, visits)) in enumerate(
                sorted(table.counts.items()), 1
            )
            for one in (
                Entry(
                    ledger.line_id(name, number, len(table.counts)),
                    *(path, grain, start, views, visits, who.name, at, reason),
                ),
            )
        }
        fields: dict[str, object] = {
            "format": table.kind,
            "lines": len(entries),
            "views": table.views,
            "visits": table.visits,
            "reason": reason,
        }
        async with self._entering:
            if await self.find(site, name) is not None:
                raise _taken(name, "as a single entry")
            before = await self.bulk(site, name)
            if before is not None:
                _check_same(name, entries, before.entries)
            missing = [
                one for one in entries.values() if not before or one.id not in before.entries
            ]
            if not missing and before is not None:
                return before
            await self._check(site, missing)
            if not dry_run:
                await self._add(who, action, name, site, missing, fields)
        return Bulk(name, entries, is_new=True, is_reversed=False)

    async def reverse_bulk(self, who: Principal, site: Site, name: str, reason: str) -> Bulk:
        """Take all of a bulk entry back, as one; doing so again changes nothing."""
        at = int(self._clock() * 1000)
        async with self._entering:
            bulk = await self.bulk(site, name)
            if bulk is None or name.startswith(REVERSAL):
                raise ApiError(
                    HTTPStatus.NOT_FOUND, {"id": f"{shown(name)} is no bulk entry of {site.slug}"}
                )
            entries = {
                REVERSAL + one.id: one._replace(
                    id=REVERSAL + one.id,
                    views=-one.views,
                    visits=-one.visits,
                    author=who.name,
                    at=at,
                    reason=reason,
                )
                for one in bulk.entries.values()
            }
            before = await answered(ledger.of_bulk(self._store, site.kept_as, REVERSAL + name))
            missing = [one for one in entries.values() if one.id not in before]
            if missing:
                await self._check(site, missing)
                fields: dict[str, object] = {
                    "lines": len(entries),
                    "views": sum(one.views for one in entries.values()),
                    "visits": sum(one.visits for one in entries.values()),
                    "reason": reason,
                }
                await self._add(who, "balance.reverse", name, site, missing, fields)
        return Bulk(name, bulk.entries, is_new=bool(missing), is_reversed=True)

    async def reverse(self, who: Principal, site: Site, name: str, reason: str) -> None:
        """Take an entry back, single or bulk; doing so again changes nothing.

        Raises ApiError, 404, if there is none with this id.
        """
        entry = await self.find(site, name)
        if entry is None or name.startswith(REVERSAL):
            await self.reverse_bulk(who, site, name, reason)
            return
        reversal = NewEntry(
            id=REVERSAL + name,
            path=entry.path,
            grain=entry.grain,
            start=None if entry.grain is Grain.TOTAL else to_date(entry.start),
            views=-entry.views,
            visits=-entry.visits,
            reason=reason,
        )
        await self.enter(who, site, [reversal])

    async def inside(
        self, site: Site, lines: Sequence[LedgerLine], most: int
    ) -> tuple[dict[str, list[Entry]], set[str]]:
        """Return the entries in lines of the list, by id, and the ids of those taken back.

        A bulk entry with more than `most` entries has none of them here.
        """
        parts: dict[str, list[str]] = {}
        reversals: dict[str, str] = {}
        for line in lines:
            name = line.entry.id
            ids = (
                [ledger.line_id(name, number, line.lines) for number in range(1, line.lines + 1)]
                if line.lines
                else [name]
            )
            parts[name] = ids if len(ids) <= most else []
            reversals[REVERSAL + ids[0]] = name
        entry_ids = {*reversals, *(one for ids in parts.values() for one in ids)}
        known = await answered(ledger.find(self._store, site.kept_as, entry_ids))
        contents = {
            name: [known[one] for one in ids if one in known] for name, ids in parts.items()
        }
        return contents, {name for one, name in reversals.items() if one in known}

    async def _check(self, site: Site, entries: Sequence[Entry]) -> None:
        checks.check_sums(entries, await answered(ledger.all_sums(self._store, site.kept_as)))

    async def _add(
        self,
        who: Principal,
        action: str,
        name: str,
        site: Site,
        entries: Sequence[Entry],
        fields: dict[str, object],
    ) -> None:
        async with self._audit.recorded(who, action, name, site=site.slug, after=fields):
            await answered(ledger.add(self._store, site.kept_as, entries))
        log.info("%s: %d lines for %s by %s", action, len(entries), site.slug, who.name)


async def answered(work: Awaitable[T]) -> T:
    """Return the answer of the store. Raises ApiError, 503."""
    try:
        return await work
    except StoreError as error:
        raise unavailable(f"the ledger cannot be reached: {error}") from error


def _check_same(name: str, entries: dict[str, Entry], before: dict[str, Entry]) -> None:
    """Raise ApiError, 409, if a bulk entry holds anything that this table does not."""
    for one, earlier in before.items():
        new = entries.get(one)
        if new is None:
            held_lines = one.rpartition(ledger.MARK)[2]
            raise _taken(name, f"with {held_lines} entries, and this has {len(entries)}")
        if new._replace(author="", at=0) != earlier._replace(author="", at=0):
            when = "" if earlier.grain is Grain.TOTAL else f" {to_date(earlier.start)}"
            which = f"{earlier.path}{when}".strip()
            raise _taken(
                name,
                f"with other content: its entry {one.split(ledger.MARK)[1]}, {which}, has"
                f" {earlier.views} views, {earlier.visits} visits, the reason"
                f" {shown(earlier.reason)}",
            )


def _taken(name: str, how: str) -> ApiError:
    return ApiError(
        HTTPStatus.CONFLICT,
        {
            "id": f"{shown(name)} was entered before {how}; entries are never edited: take it back"
            " as a whole, and enter the right one under a new id"
        },
    )
