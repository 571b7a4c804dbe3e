"""Checks entries for the ledger against what is there."""

from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus

from services.api.counter import paths
from services.api.sites.balances.schemas import MAX_COUNT, BalanceOut, NewEntry
from services.http.errors import ApiError, bad_request, shown
from services.model.calendar import EPOCH, Grain, period_start, to_date, to_day
from services.model.site import Site
from services.store.records import balances as ledger
from services.store.records.balances import BalanceEntry as Entry
from services.store.records.balances import LedgerLine


def entry_of(new: NewEntry, place: int, site: Site, today: int, now_ms: int, author: str) -> Entry:
    """Return an entry as the ledger holds it. Raises ApiError, 400, for an impossible one."""
    try:
        path = paths.counted(new.path, site) if new.path else ""
    except ApiError as error:
        raise bad_request(f"entries.{place}.path", error.errors["path"]) from None
    start = _start(new, place, today)
    if not new.views and not new.visits:
        raise bad_request(f"entries.{place}.visits", "0, and views too; expected one of them")
    if new.views * new.visits < 0:
        raise bad_request(
            f"entries.{place}.visits",
            f"{new.visits} with {new.views} views; expected both added, or both taken back",
        )
    return Entry(new.id, path, new.grain, start, new.views, new.visits, author, now_ms, new.reason)


def _start(new: NewEntry, place: int, today: int) -> int:
    field = f"entries.{place}.start"
    if new.grain is Grain.TOTAL:
        if new.start not in (None, EPOCH):
            raise bad_request(field, f"{new.start} for the total; expected no start")
        return 0
    if new.start is None:
        raise bad_request(field, f"missing; expected the first day of the {new.grain}")
    start = to_day(new.start)
    if not 0 <= start <= today:
        raise bad_request(
            field, f"{new.start}; expected a day from {EPOCH} to the site's today, {to_date(today)}"
        )
    first = period_start(start, new.grain)
    if start != first:
        raise bad_request(
            field, f"{new.start} begins no {new.grain}; expected its first day, {to_date(first)}"
        )
    return start


def fresh(requested: Sequence[Entry], recorded: dict[str, Entry]) -> list[Entry]:
    """Return the entries that are new. Raises ApiError, 409, for an id with other content."""
    new: dict[str, Entry] = {}
    for place, entry in enumerate(requested):
        before = recorded.get(entry.id) or new.setdefault(entry.id, entry)
        if before._replace(author="", at=0) != entry._replace(author="", at=0):
            differing = [
                name
                for name in ("path", "grain", "start", "views", "visits", "reason")
                if getattr(before, name) != getattr(entry, name)
            ]
            raise ApiError(
                HTTPStatus.CONFLICT,
                {
                    f"entries.{place}.id": f"{shown(entry.id)} was entered before with another"
                    f" {', '.join(differing)}; entries are never edited: take it back with an"
                    " entry of its own, and enter the right one under a new id"
                },
            )
    return list(new.values())


def check_sums(entries: Sequence[Entry], sums: dict[ledger.Period, tuple[int, int]]) -> None:
    """Raise ApiError, 400, if a period would end up below zero or above MAX_COUNT."""
    added: dict[ledger.Period, list[int]] = defaultdict(lambda: [0, 0])
    for entry in entries:
        added[entry.period][0] += entry.views
        added[entry.period][1] += entry.visits
    for period, counts in added.items():
        path, grain, start = period
        for name, change, before in zip(
            ("views", "visits"), counts, sums.get(period, (0, 0)), strict=True
        ):
            if not 0 <= before + change <= MAX_COUNT:
                when = "" if grain is Grain.TOTAL else f" of {to_date(start)}"
                raise bad_request(
                    "entries",
                    f"{name} of {path or 'the whole site'}, {grain}{when}: the ledger holds"
                    f" {before}, and {change:+} makes {before + change};"
                    f" expected 0 to {MAX_COUNT}",
                )


def out(entry: Entry) -> BalanceOut:
    """Return an entry as it is shown."""
    start = None if entry.grain is Grain.TOTAL else to_date(entry.start)
    return BalanceOut(**entry._asdict() | {"start": start})


def line_out(line: LedgerLine) -> BalanceOut:
    """Return a line of the list as it is shown."""
    shown_line = out(line.entry)
    if line.lines:
        last = None if line.entry.grain is Grain.TOTAL else to_date(line.last)
        return shown_line.model_copy(update={"lines": line.lines, "last": last})
    return shown_line
