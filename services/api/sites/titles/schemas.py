"""Titles of pages as they are sent and shown."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.api.sites.titles.named_pages import PAGES_A_RUN
from services.api.sites.titles.page_title import MAX_TITLE
from services.http.fetcher import MAX_URL
from services.store.records.title_runs import TitlePlan, TitleRun

MOST_AT_ONCE = 500

PageName = Annotated[
    str,
    Field(min_length=1, max_length=MAX_URL, description="path of a page, or its whole address"),
]


class NewTitle(BaseModel):
    """A title that a person writes."""

    model_config = ConfigDict(extra="forbid")

    path: PageName
    title: str = Field(
        min_length=1, max_length=2000, description=f"of which {MAX_TITLE} characters are kept"
    )


class NewTitles(BaseModel):
    """Titles that are written together."""

    model_config = ConfigDict(extra="forbid")

    titles: list[NewTitle] = Field(min_length=1, max_length=MOST_AT_ONCE)


class TitlesWritten(BaseModel):
    """How many titles are new, or others than before."""

    written: int


class TitleOut(BaseModel):
    """The title of a page."""

    path: str
    title: str
    by_hand: bool = Field(description="written by a person; reading the portal does not change it")
    read_at: int = Field(description="when the page was read, ms since 1970, UTC; 0 for never")


class TitlePage(BaseModel):
    """Titles, by path.

    `pages` are all that are named, of which `waiting` have not been asked for their title yet.
    """

    titles: list[TitleOut]
    has_more: bool
    pages: int
    waiting: int


class FetchAsked(BaseModel):
    """How much of a portal is to be read."""

    model_config = ConfigDict(extra="forbid")

    pages: int = Field(
        PAGES_A_RUN, ge=0, le=PAGES_A_RUN, description="pages that are asked for their titles"
    )


class PlanChanges(BaseModel):
    """What is to be changed about where titles come from."""

    model_config = ConfigDict(extra="forbid")

    sitemap: str | None = Field(
        None, max_length=MAX_URL, description="'' for the one that the portal names itself"
    )
    daily: StrictBool | None = Field(None, description="read the portal once a day")
    in_top: StrictBool | None = Field(None, description="show titles in the public most read pages")


class PlanOut(BaseModel):
    """Where titles come from, and whether the public list of most read pages shows them."""

    sitemap: str
    daily: bool
    in_top: bool


class RunOut(BaseModel):
    """A reading of a portal: how far it is, or how it ended."""

    state: str = Field(description="never, running, done, cancelled, failed, or lost")
    author: str = Field(description="who began it; '' where it began by itself")
    started: int = Field(description="milliseconds since 1970, UTC")
    ended: int = Field(description="milliseconds since 1970, UTC; 0 while it runs")
    sitemaps: int = Field(description="sitemaps that were read, or had not changed")
    named: int = Field(description="pages that are new")
    asked: int = Field(description="pages that were asked for their titles")
    found: int = Field(description="titles that are new, or others than before")
    problem: str = Field(description="what went wrong last, '' for nothing")


def plan_out(plan: TitlePlan) -> PlanOut:
    """Return a plan as the API shows it."""
    return PlanOut(sitemap=plan.sitemap, daily=bool(plan.daily), in_top=bool(plan.in_top))


def run_out(run: TitleRun) -> RunOut:
    """Return a reading as the API shows it."""
    shown = {name: getattr(run, name) for name in RunOut.model_fields}
    return RunOut(**{**shown, "state": run.state or "never"})
