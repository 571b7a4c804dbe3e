"""What a report says, as plain values: the API answers with it, pages and workbooks show it."""

import datetime

from pydantic import BaseModel, Field

CHANGE_DIGITS = 2
"""After the point of a change in percent, as offices report it: tăng 31,72%."""


class ReportedSite(BaseModel):
    """A site whose traffic is in the report; changes are in percent, null where none is known."""

    slug: str
    name: str
    counted_since: datetime.date | None = Field(description="its first counted day")
    pageviews: int
    visits: int
    visitors: int
    pageviews_change: float | None = Field(description="from the period before")
    pageviews_year_change: float | None = Field(description="from the year before")
    visits_change: float | None = Field(description="from the period before")
    visits_year_change: float | None = Field(description="from the year before")


class ReportedGroup(BaseModel):
    """The group of sites that a report is of."""

    slug: str
    name: str


class ReportDays(BaseModel):
    """Days from first to last, both included."""

    first: datetime.date
    last: datetime.date


class ReportFigure(BaseModel):
    """A measure of the period, and of those it is compared with; null where not all is known."""

    measure: str
    value: int
    per_day: float | None = Field(
        description="mean of `known_days`, but of one that is running; null where these are none"
    )
    per_month: float | None = Field(
        description="mean of a month, where several are over and all of their days are known"
    )
    before: int | None = Field(description="of the period before")
    change: float | None = Field(description="from the period before, in percent")
    year_before: int | None = Field(description="of the same period of the year before")
    year_change: float | None = Field(description="from the year before, in percent")


class ReportCompared(BaseModel):
    """The change of those sites of a group of which both periods are known, where not all are."""

    against: str = Field(description="before or year_before")
    sites: int
    left_out: int = Field(description="sites of which not all days to compare with were counted")
    changes: dict[str, float | None] = Field(description="in percent, by measure")


class ReportRow(BaseModel):
    """A day or a month: `date` is its first day."""

    date: datetime.date
    pageviews: int
    visits: int
    visitors: int


class ReportPart(BaseModel):
    """A page, a source or a kind of device; `site` is its slug in a report of several sites."""

    name: str
    title: str = Field(description="of a page; empty where none is known")
    site: str
    count: int
    percent: float = Field(description="of all of the period; of what is `kept` in a partial list")


class ReportList(BaseModel):
    """The first rows of what the traffic consists of."""

    measure: str = Field(description="what its rows count")
    rows: list[ReportPart]
    problem: str = Field(
        description="why it, or with rows that of some sites, cannot be read; else empty"
    )
    partial: bool = Field(description="whether raw hits of some days are gone, so counts are low")
    gone: bool = Field(description="whether those of all days are, so there is nothing to list")


class ReportKept(BaseModel):
    """What is kept of the raw hits of the period."""

    since: datetime.date | None = Field(
        description="their first day; of all, where the period has none; null where there is none"
    )
    visits: int = Field(description="visits that began in what is kept")
    whole: int = Field(description="visits that were counted in the period")


class ReportOpening(BaseModel):
    """Opening balances of the period: what was entered, and not measured."""

    views: int
    visits: int
    included: bool = Field(description="whether they are in the figures")


class TrafficReport(BaseModel):
    """The traffic of a site, or of a group of sites, in a period.

    Figures and rows of a group are sums over its sites: who reads two of them is two visitors.
    """

    group: ReportedGroup | None = Field(description="null in the report of one site")
    sites: list[ReportedSite]
    period: str
    days: ReportDays
    until: datetime.date = Field(description="the last day that has come")
    at: datetime.datetime = Field(description="the moment up to which a running day is counted")
    is_running: bool = Field(description="whether `until` is a day that is not over")
    before: ReportDays
    year_before: ReportDays
    counted_since: datetime.date | None = Field(
        description="the first day on which the site, or any of the group, was counted"
    )
    known_days: int = Field(
        description="days that have come and were counted, or of which opening balances are in"
    )
    uncounted: list[ReportDays] = Field(
        description="gaps between counted days: of the period, of that before and of the year"
        " before, where nothing is known of two weeks or more"
    )
    opening: ReportOpening
    figures: list[ReportFigure]
    compared: list[ReportCompared] = Field(
        description="of a group some of whose sites have nothing to compare with"
    )
    by_day: list[ReportRow]
    by_month: list[ReportRow]
    pages: ReportList
    sources: ReportList
    devices: ReportList
    kept: ReportKept | None = Field(
        description="of what lists that are `partial` or `gone` are; null where there are none"
    )

    @property
    def is_over(self) -> bool:
        """Whether all days of the period have come."""
        return self.until >= self.days.last

    @property
    def file_name(self) -> str:
        """What a file with it is called, without an ending."""
        of = self.sites[0].slug if self.group is None else self.group.slug
        return f"{of}-report-{self.days.first}-to-{self.days.last}"
