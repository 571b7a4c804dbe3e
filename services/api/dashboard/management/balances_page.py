"""`/admin/sites/{slug}/balances`: the numbers that a portal brings from its old counter."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError
from starlette.responses import Response

from services.api.counter.periods import Key
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.forms import whole_number
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.sites.balances.block import (
    BlockEntries,
    block_entries,
    read_entries,
    table_of,
    typed_numbers,
)
from services.api.sites.balances.schemas import BULK_ID_PATTERN, WhyReversed
from services.api.sites.balances.service import REVERSAL, answered
from services.http.errors import ApiError, Translatable, bad_request, shown
from services.model.calendar import Grain, to_date
from services.model.display import Look
from services.model.lines import PERIODS, Line
from services.model.site import Metric, Site
from services.store.records.balances import BalanceEntry, LedgerLine
from services.widget import page as frame
from services.widget.block import Block

LISTED = 25
_INSIDE = 12
"""A bulk entry with more entries than this is summarised in the list."""


class BalanceRow(NamedTuple):
    """A line of the list; it `may_reverse` as long as it counts."""

    id: str
    what: list[tuple[str, str]]
    entered: str
    author: str
    reason: str
    is_reversal: bool
    is_reversed: bool
    may_reverse: bool


async def balances(page: PageRequest) -> Response:
    """Return the list and the forms, with a preview if one is asked for."""
    if not page.parameter("look") or not _may_enter(page):
        return await balances_with(page, {})
    try:
        entries = await _asked(page)
        if entries.added:
            await _enter(page, entries.id, entries.added, "-", dry_run=True)
    except ApiError as error:
        return await balances_with(page, errors_of(error))
    return await balances_with(page, {}, entries)


async def block(page: PageRequest) -> Response:
    """Return the block as it will look, as a page for the preview's frame."""
    site, metric = page.site, _metric(page)
    entries = await _asked(page)
    answer, _ = await page.dependencies.counters.answer(site, metric, {})
    numbers = msgspec.json.decode(answer.body) | entries.after
    look = Look.of(site.display)
    headers = {"Content-Security-Policy": frame.policy(look)}
    return Response(
        frame.html(Block.of_site(look, numbers)), media_type=frame.MEDIA_TYPE, headers=headers
    )


async def enter(page: PageRequest) -> Response:
    """Enter what was previewed, unless something else was entered meanwhile."""
    sent, site, ledger = page.form, page.site, page.dependencies.balances
    name = sent.get("id")
    try:
        why = WhyReversed.model_validate({"reason": sent.get("reason")})
        added = read_entries(sent.all("entry"), page.dependencies.peaks.today(site))
        if not re.match(BULK_ID_PATTERN, name):
            raise bad_request("id", f"{shown(name)}; expected that of the preview")
        if await ledger.bulk(site, name) is None:
            _, lines = await ledger.page(site, 0, 1)
            if sent.get("lines") != str(lines):
                text = "something else was entered since the preview; look again"
                raise ApiError(HTTPStatus.CONFLICT, {"id": Translatable(text, "balances.changed")})
        await _enter(page, name, added, why.reason, dry_run=False)
    except (ValidationError, ApiError) as error:
        return await balances_with(page, errors_of(error))
    return page.redirect(address(site), saved=True)


async def _enter(
    page: PageRequest, name: str, added: Mapping[Key, int], reason: str, *, dry_run: bool
) -> None:
    ledger = page.dependencies.balances
    if dry_run:
        name = await ledger.next_id(page.site, name)
    table = table_of(added, _metric(page))
    try:
        await ledger.enter_bulk(
            page.principal, page.site, name, table, reason, dry_run=dry_run, action="balance.add"
        )
    except ApiError as error:
        if "entries" in error.errors:
            raise bad_request(
                "entries", Translatable(error.errors["entries"], "balances.below")
            ) from error
        raise


async def reverse(page: PageRequest) -> Response:
    """Reverse an entry, or everything from a file."""
    name = page.request.path_params["id"]
    try:
        why = WhyReversed.model_validate({"reason": page.form.get("reason")})
        await page.dependencies.balances.reverse(page.principal, page.site, name, why.reason)
    except (ValidationError, ApiError) as error:
        return await balances_with(page, errors_of(error))
    return page.redirect(address(page.site), saved=True)


def address(site: Site) -> str:
    """Return the URL of this page for a site."""
    return f"{HOME}/sites/{site.slug}/balances"


def errors_of(error: ValidationError | ApiError) -> Mapping[str, str]:
    """Return the errors by field. Raises the error again if no other input would help."""
    return mistakes(error, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND)


def _may_enter(page: PageRequest) -> bool:
    return page.principal.may_edit(page.site)


def measures_of(site: Site) -> list[Metric]:
    """Return the measures for which a site can have opening balances."""
    return [Metric.VIEWS] if site.views_only else [Metric.VISITS, Metric.VIEWS]


def _metric(page: PageRequest) -> Metric:
    """Return the measure of the typed numbers: the block's, unless the URL names one."""
    measures, site = measures_of(page.site), page.site
    if (name := page.parameter("metric")) in measures:
        return Metric(name)
    return site.measure() if site.measure() in measures else measures[0]


async def _asked(page: PageRequest) -> BlockEntries:
    """Return the entries that lead to the numbers in the URL. Raises ApiError."""
    typed = typed_numbers({line: page.parameter(line) for line in PERIODS})
    metric = _metric(page)
    readings, _ = await answered(page.dependencies.counters.read_now(page.site, ()))
    return block_entries(typed, readings[metric], metric)


async def balances_with(
    page: PageRequest, errors: Mapping[str, str], found: BlockEntries | None = None
) -> Response:
    """Return the page with its errors, or with a preview."""
    site, ledger = page.site, page.dependencies.balances
    before = whole_number(page.parameter("before"))
    _, total = await ledger.page(site, 0, 1)
    end = total if before is None else min(total, before)
    first = max(0, end - LISTED)
    lines, _ = await ledger.page(site, first, max(1, end - first))
    contents, reversed_ids = await ledger.inside(site, lines, _INSIDE)
    metric = _metric(page)
    look = Look.of(site.display)
    labels = {line.value: look.labels[line] for line in PERIODS}
    return page.render(
        "balances.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        frames=True,
        site=site,
        errors={labels.get(field, field): text for field, text in errors.items()},
        may_enter=_may_enter(page),
        measures=[(one.value, page.t(f"metric.{one}")) for one in measures_of(site)],
        metric=metric,
        is_other=metric is not site.measure(),
        fields=[
            (line.value, look.labels[line], page.parameter(line), line in look.lines)
            for line in _in_order(look)
        ],
        found=None if found is None else await _found(page, found, total),
        rows=[_row(page, line, contents, reversed_ids) for line in reversed(lines)],
        older=first,
        newer=end < total,
    )


def _in_order(look: Look) -> list[Line]:
    """Return the lines of periods: the total, those the block shows in its order, then the rest."""
    shown = [Line.TOTAL, *look.lines]
    return sorted(PERIODS, key=lambda line: (line not in shown, (*shown, *PERIODS).index(line)))


async def _found(page: PageRequest, found: BlockEntries, lines: int) -> dict[str, Any]:
    t, site = page.t, page.site
    typed = {line: text for line in PERIODS if (text := page.parameter(line).strip())}
    total = typed.get(Line.TOTAL, "")
    digits = len(total) if total.startswith("0") and total.isdecimal() else 0
    return {
        "id": await page.dependencies.balances.next_id(site, found.id),
        "query": page.request.url.query,
        "lines": lines,
        "entries": found.written(),
        "added": [
            (period_text(page, "", grain, start), t.number(count))
            for (grain, start), count in found.added.items()
        ],
        "numbers": [
            (t.line(line), t.number(found.before[line]), t.number(found.after[line]))
            for line in PERIODS
        ],
        "digits": digits if digits != Look.of(site.display).digits else 0,
    }


def _row(
    page: PageRequest, line: LedgerLine, held: Mapping[str, list[BalanceEntry]], taken: set[str]
) -> BalanceRow:
    t, entry = page.t, line.entry
    is_reversal = entry.id.startswith(REVERSAL)
    is_reversed = entry.id in taken
    inside = held[entry.id]
    what = [
        (period_text(page, one.path, one.grain, one.start), _counts(page, one)) for one in inside
    ]
    if not what:
        days = "" if entry.grain is not Grain.DAY else f" · {_span(page, entry.start, line.last)}"
        what = [(t("balances.lines", count=line.lines) + days, _counts(page, entry))]
    return BalanceRow(
        entry.id,
        what,
        t.moment(entry.at, page.site.zone_at(entry.at)),
        t.actor(entry.author),
        entry.reason,
        is_reversal,
        is_reversed,
        not is_reversal and not is_reversed and _may_enter(page),
    )


def _span(page: PageRequest, first: int, last: int) -> str:
    return " – ".join(page.t.date_of(to_date(day)) for day in dict.fromkeys((first, last)))


def _counts(page: PageRequest, entry: BalanceEntry) -> str:
    t = page.t
    named = (("balances.visits", entry.visits), ("balances.views", entry.views))
    return ", ".join(t(key, number=t.number(count)) for key, count in named if count)


def period_text(page: PageRequest, path: str, grain: Grain, start: int) -> str:
    """Return the number that an entry adds to, as text."""
    t, first = page.t, to_date(start)
    match grain:
        case Grain.TOTAL:
            when = t("balances.total")
        case Grain.YEAR:
            when = t("balances.year", year=first.year)
        case Grain.MONTH:
            when = t.month(first)
        case _:
            when = t.day(first)
    return f"{path} · {when}" if path else when
