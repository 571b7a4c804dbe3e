"""`/admin/sites/{slug}/balances/file`: the numbers in a file, previewed, then entered together."""

import base64
import binascii
import zlib
from hashlib import blake2b
from http import HTTPStatus
from itertools import islice
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management.balances_page import (
    address,
    balances_with,
    errors_of,
    measures_of,
    period_text,
)
from services.api.dashboard.requests.forms import SentFile
from services.api.dashboard.requests.page_request import PageRequest
from services.api.sites.balances.block import with_added
from services.api.sites.balances.schemas import WhyReversed
from services.api.sites.balances.service import Bulk, answered
from services.api.sites.balances.sheet import MAX_BYTES
from services.api.sites.balances.table import OldNumbers, require_whole
from services.http.errors import ApiError, Translatable, bad_request
from services.model.lines import PERIODS
from services.model.site import Metric

FIRST_ROWS = 10
REFUSED_ROWS = 50
MAX_KEPT = 8_500_000
"""The most characters of the file as the preview page keeps it: its form has a limit, too."""


async def send(page: PageRequest) -> Response:
    """Preview a file, or enter one that was previewed."""
    try:
        if page.form.on("enter"):
            return await _enter(page)
        file = page.form.file
        if file is None:
            raise bad_request("file", Translatable("none was chosen", "balances.file.none"))
        return await _preview(page, file, _packed(file.content))
    except (ValidationError, ApiError) as error:
        return await balances_with(page, errors_of(error))


async def _enter(page: PageRequest) -> Response:
    ledger, site, form = page.dependencies.balances, page.site, page.form
    content = _unpacked(form.get("content"))
    why = WhyReversed.model_validate({"reason": form.get("reason")})
    table = await ledger.read(site, content)
    require_whole(table, skip_refused=form.on("skip_refused"))
    name = await ledger.next_id(site, _id_of(content))
    await ledger.enter_bulk(page.principal, site, name, table, why.reason, dry_run=False)
    return page.redirect(address(site), saved=True)


async def _preview(page: PageRequest, file: SentFile, packed: str) -> Response:
    ledger, site, t = page.dependencies.balances, page.site, page.t
    table = await ledger.read(site, file.content)
    name = await ledger.next_id(site, _id_of(file.content))
    if (before := await ledger.bulk(site, name)) is not None:
        raise _entered_before(page, before)
    if table.counts:
        await ledger.enter_bulk(page.principal, site, name, table, "-", dry_run=True)
    counted = {"balances.visits": table.visits, "balances.views": table.views}
    return page.render(
        "balances_file.html",
        site=site,
        file=file.name,
        content=packed,
        table=table,
        lines=t.number(table.lines),
        entries=t.number(len(table.counts)),
        counted=[t(key, number=t.number(count)) for key, count in counted.items() if count],
        days=" – ".join(t.date_of(day) for day in dict.fromkeys(table.days or ())),
        first=[
            (period_text(page, *period), t.number(visits), t.number(views))
            for period, (views, visits) in islice(table.counts.items(), FIRST_ROWS)
        ],
        refused=table.refused[:REFUSED_ROWS],
        numbers=await _numbers(page, table),
        measures=measures_of(site),
    )


async def _numbers(page: PageRequest, table: OldNumbers) -> list[tuple[str, list[Any]]]:
    """Return the block's numbers before and after, by line and measure; none if nothing changes."""
    t = page.t
    whole = {
        (grain, start): counts for (path, grain, start), counts in table.counts.items() if not path
    }
    if not whole:
        return []
    readings, _ = await answered(page.dependencies.counters.read_now(page.site, ()))
    of_measures = []
    for metric in measures_of(page.site):
        reading = readings[metric]
        views = metric is Metric.VIEWS
        added = {key: counts[0 if views else 1] for key, counts in whole.items()}
        after = with_added(reading, added)
        of_measures.append((reading.numbers(reading.day), after.numbers(reading.day)))
    return [
        (
            t.line(line),
            [(t.number(before[line]), t.number(after[line])) for before, after in of_measures],
        )
        for line in PERIODS
    ]


def _entered_before(page: PageRequest, bulk: Bulk) -> ApiError:
    one = next(iter(bulk.entries.values()))
    at = page.t.moment(one.at, page.site.zone_at(one.at))
    text = f"it was entered before, by {one.author}, {at}; nothing changes"
    message = Translatable(text, "balances.file.before", author=page.t.actor(one.author), at=at)
    return ApiError(HTTPStatus.CONFLICT, {"file": message})


def _id_of(content: bytes) -> str:
    """Return the same id as the command line gives the file, so that it counts once."""
    return f"file:{blake2b(content, digest_size=8).hexdigest()}"


def _packed(content: bytes) -> str:
    """Return a file packed for its preview page. Raises ApiError if it is too large."""
    packed = base64.urlsafe_b64encode(zlib.compress(content, 6)).decode()
    if len(packed) > MAX_KEPT or len(content) > MAX_BYTES:
        text = f"{len(content)} bytes are too many for this page; expected CSV, or several files"
        raise bad_request("file", Translatable(text, "balances.file.large"))
    return packed


def _unpacked(packed: str) -> bytes:
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.urlsafe_b64decode(packed), MAX_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error):
        content = b""
    if not content or len(content) > MAX_BYTES:
        raise bad_request("content", "expected what the preview holds")
    return content
