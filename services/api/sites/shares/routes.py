"""`/api/admin/sites/{slug}/shares`: links that show a site's traffic without signing in."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.fields import TEXT_PATTERN
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.registry import Registry
from services.api.sites.shares.service import MAX_NAME, NewShareLink, ShareLinks, report_of
from services.api.stats.grammar.site_query import MEASURED, OPENINGS
from services.api.stats.reports.report_query import REPORT_PERIODS, ReportQuery
from services.api.stats.reports.unit import ReportUnit
from services.model.account import Role
from services.model.site import Site
from services.store.records.share_links import ShareLink

SHARE = "/share"
"""What the paths of links begin with."""
REPORT = "/report"
"""What the paths of links to a report end with."""


class SharedReportFields(BaseModel):
    """Which report a link shows."""

    model_config = ConfigDict(extra="forbid")

    period: str = Field(json_schema_extra={"enum": list(REPORT_PERIODS)})
    date: str = Field(
        "",
        max_length=30,
        description="a day of it; without, whoever opens the link sees the last that is over",
    )
    opening: str = Field(MEASURED.value, json_schema_extra={"enum": list(OPENINGS)})

    @property
    def query(self) -> ReportQuery:
        """The same as a report is asked for."""
        return ReportQuery(self.period, self.date, self.opening)


class ShareFields(BaseModel):
    """A link that is to be made."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(
        min_length=1, max_length=MAX_NAME, pattern=TEXT_PATTERN, description="whom it is for"
    )
    report: SharedReportFields | None = Field(
        None, description="what it shows; without, the traffic of the site"
    )


class ShareOut(BaseModel):
    """A link, without its address: that is not stored."""

    id: str
    name: str
    created_at: int = Field(description="milliseconds since 1970, UTC")
    created_by: str
    report: SharedReportFields | None = Field(description="null: the traffic of the site")


class NewShareOut(ShareOut):
    """A link that was just made."""

    path: str = Field(description="of its address, on this server; it is not shown again")


class ShareList(BaseModel):
    """The links of a site, or of a group."""

    shares: list[ShareOut]


OfLink = Annotated[str, Path(alias="id", description="the id of a link")]


def router(registry: Callable[[], Registry], links: Callable[[], ShareLinks]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/shares")
    known = Depends(site_of(registry))

    @routes.get("")
    @needs(Role.EDITOR)
    async def list_shares(site: Annotated[Site, known]) -> ShareList:
        """The links that show the traffic of a site to whoever has them."""
        return ShareList(
            shares=[share_out(one) for one in await links().of(ReportUnit.of_site(site))]
        )

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def make_share(site: Annotated[Site, known], new: ShareFields, who: Who) -> NewShareOut:
        """Make a link; it takes an owner, unless LUOT_EDITORS_PUBLISH is on."""
        query = None if new.report is None else new.report.query
        made = await links().make(who, ReportUnit.of_site(site), new.name, query)
        return made_out(made)

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.EDITOR)
    async def withdraw_share(site: Annotated[Site, known], id_: OfLink, who: Who) -> None:
        """Withdraw a link: within a second it shows nothing any more."""
        await links().withdraw(who, ReportUnit.of_site(site), id_)

    return routes


def path_of(made: NewShareLink) -> str:
    """Return the path of a link that was just made, on this server."""
    return f"{SHARE}/{made.secret}" + (REPORT if made.link.period else "")


def made_out(made: NewShareLink) -> NewShareOut:
    """Return a link that was just made as the API shows it, this once."""
    return NewShareOut(**share_out(made.link).model_dump(), path=path_of(made))


def share_out(link: ShareLink) -> ShareOut:
    """Return a link as the API shows it."""
    query = report_of(link)
    report = query and SharedReportFields(
        period=query.period, date=query.dates, opening=query.opening
    )
    return ShareOut(
        id=link.id, name=link.name, created_at=link.at, created_by=link.author, report=report
    )
