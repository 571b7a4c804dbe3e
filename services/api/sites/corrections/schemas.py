"""Corrections as the administration takes and shows them."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.api.sites.balances.schemas import ID_PATTERN, TEXT_PATTERN
from services.api.sites.corrections.change import Change
from services.api.sites.corrections.preview import BeforeAfter
from services.api.sites.corrections.query import QueryFields
from services.api.sites.corrections.service import CorrectionPreview
from services.model.calendar import to_date
from services.model.site import Metric, Site
from services.store.counts.corrections import Correction, Taken


class WhyFields(BaseModel):
    """Why something is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, pattern=TEXT_PATTERN)


class CorrectionFields(WhyFields):
    """A correction that is to be made, as its preview shows it."""

    id: str = Field(pattern=ID_PATTERN, description="of the preview; made twice, it counts once")
    query: QueryFields
    up_to: str | None = Field(
        None,
        pattern=r"^[0-9]{1,20}$",
        description="of the preview: what is counted later stays; unless given, all up to now",
    )
    views: int | None = Field(
        None, ge=1, description="of the preview: refused with 409 where it would be another number"
    )


class QueryOut(BaseModel):
    """A query as it was taken; it can be sent again as it is."""

    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    filters: str
    more_than: int


class TakenOut(BaseModel):
    """What is taken away; below zero is given back."""

    views: int
    visits: int
    visitors: int


class DayTaken(TakenOut):
    """What is taken of a day."""

    day: datetime.date


class ChangeOut(BaseModel):
    """A public number as it is, and as it would be."""

    before: int
    after: int


class PageTaken(BaseModel):
    """What is taken of a page, and what it shows: of all time and of today."""

    path: str
    views: int
    visits: int
    total: ChangeOut
    today: ChangeOut


class PreviewOut(TakenOut):
    """What a correction would take away; nothing is changed."""

    id: str = Field(description="under which to make it")
    query: QueryOut
    up_to: str = Field(description="where the log was; what is counted later is not looked at")
    unknown: int = Field(
        description="of the views, those of readers without a hash, whose visits are told only by"
        " the view that began them"
    )
    days: list[DayTaken]
    pages: list[PageTaken] = Field(description="the pages with the most of these views")
    pages_in_all: int
    numbers: dict[Metric, dict[str, ChangeOut]] = Field(
        description="the lines of the block, in each measure"
    )


class CorrectionOut(TakenOut):
    """A correction in the ledger, or the reversal of one."""

    id: str
    reverses: str | None = Field(description="the correction that it takes back")
    reversed_by: str | None = Field(description="the reversal that takes it back")
    first: datetime.date = Field(description="the first day that it touches")
    last: datetime.date
    query: QueryOut
    author: str
    at: int = Field(description="when it was made, milliseconds since 1970, UTC")
    reason: str


class CorrectionPage(BaseModel):
    """Corrections, the newest first, and how many there are in all."""

    corrections: list[CorrectionOut]
    total: int


def preview_out(site: Site, found: CorrectionPreview) -> PreviewOut:
    """Return a preview as it is shown."""
    change: Change = found.change
    return PreviewOut(
        id=found.id,
        query=QueryOut(**_query(found.query.written(site))),
        up_to=str(found.until),
        **_taken(change.total),
        unknown=change.unknown,
        days=[
            DayTaken(day=to_date(day), **_taken(taken))
            for day, taken in sorted(change.days.items())
        ],
        pages=[
            PageTaken(
                path=page.path,
                views=page.views,
                visits=page.visits,
                total=_change(page.total),
                today=_change(page.today),
            )
            for page in found.public.pages
        ],
        pages_in_all=len(change.pages),
        numbers={
            metric: {line: _change(number) for line, number in lines.items()}
            for metric, lines in found.public.numbers.items()
        },
    )


def correction_out(row: Correction, rows: Sequence[Correction]) -> CorrectionOut:
    """Return a row of the ledger as it is shown."""
    reversal = next((other.id for other in rows if other.reverses == row.id), None)
    return CorrectionOut(
        id=row.id,
        reverses=row.reverses or None,
        reversed_by=reversal,
        first=to_date(row.first),
        last=to_date(row.last),
        query=QueryOut(**_query(msgspec.json.decode(row.query))),
        author=row.author,
        at=row.at,
        reason=row.reason,
        views=row.views,
        visits=row.visits,
        visitors=row.visitors,
    )


def _query(written: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {"from": "since", "to": "until"}
    return {renamed.get(name, name): value for name, value in written.items()}


def _taken(taken: Taken) -> dict[str, int]:
    return taken._asdict()


def _change(number: BeforeAfter) -> ChangeOut:
    return ChangeOut(before=number.before, after=number.after)
