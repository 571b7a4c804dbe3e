"""What may be set on a site, as the API takes it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.api.counter.paths import MAX_LENGTH
from services.api.sites.new_slug import NewSlug
from services.api.sites.schemas import DisplayFields
from services.model.default_period import DefaultPeriod
from services.model.downloads import NO_ENDINGS
from services.model.page_aliases import MAX_ALIASES
from services.model.searches import MAX_PARAMETERS
from services.model.site import (
    DEFAULT_TIMEZONE,
    MAX_ENDINGS,
    MAX_EXCLUDED,
    MAX_FRAME_HOSTS,
    MAX_HIDDEN,
    MAX_MIN_VISITORS,
    SLUG_PATTERN,
    Metric,
)

Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=64)]


class AliasFields(BaseModel):
    """An address that counts as another page; with /* at the end of both, all below it."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(max_length=MAX_LENGTH, examples=["/en/tin/1", "/en/*"])
    page: str = Field(max_length=MAX_LENGTH, examples=["/tin/1", "/*"])


class SiteFields(BaseModel):
    """What an admin may set on a site."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "", max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="shown to people"
    )
    timezone: str = Field(DEFAULT_TIMEZONE, max_length=64, description="IANA name; days turn there")
    hosts: list[str] = Field(
        [], max_length=100, description="mytho.example, *.mytho.example for all below it, * for any"
    )
    metric: Metric = Field(Metric.VISITS, description="what the counter shows")
    significant: list[str] = Field(
        [], max_length=20, description="query parameters that name a page: tabid, nv"
    )
    fold_case: StrictBool = Field(
        False, description="paths that differ only in capitals are one page, counted in lower case"
    )
    hash_routes: StrictBool = Field(
        False, description="routes in the fragment are paths: /#/tin/1 is the page /tin/1"
    )
    excluded_pages: list[Annotated[str, Field(max_length=MAX_LENGTH)]] = Field(
        [],
        max_length=MAX_EXCLUDED,
        description="pages that are never counted: /quan-tri/**, /in/*; * is any part of a path, **"
        " any number of them",
    )
    download_endings: list[Annotated[str, Field(max_length=20)]] = Field(
        [],
        max_length=MAX_ENDINGS,
        description="endings of files whose downloads are counted, pdf; unless given, those of"
        f" documents; {NO_ENDINGS} for no downloads",
    )
    search_parameters: list[Annotated[str, Field(max_length=MAX_LENGTH)]] = Field(
        [],
        max_length=MAX_PARAMETERS,
        description="query parameters that hold what is searched on the site: q, tukhoa; none for"
        " no count of searches",
    )
    honour_dnt: StrictBool = Field(
        True, description="no visitor hash for browsers that ask for none"
    )
    views_only: StrictBool = Field(
        False, description="no visitor hash for anybody: everything shows views"
    )
    public_top: StrictBool = Field(False, description="anybody may read the most read pages")
    page_aliases: list[AliasFields] = Field(
        [],
        max_length=MAX_ALIASES,
        description="addresses whose views are those of another page, of all times: of an article"
        " that moved, or in another language",
    )
    hidden_pages: list[Annotated[str, Field(max_length=MAX_LENGTH)]] = Field(
        [],
        max_length=MAX_HIDDEN,
        description="pages that no public list names: /tin-tuc/1, /tin-tuc/* for all that begin so",
    )
    top_min_visitors: Annotated[int, Field(strict=True, ge=0, le=MAX_MIN_VISITORS)] = Field(
        3,
        description="visitors that a page needs to be among the most read pages in public; 0 is"
        " none. Without effect where visitors are not recognised (views_only)",
    )
    public_dashboard: StrictBool = Field(
        False, description="anybody may read the traffic behind the numbers"
    )
    frame_hosts: list[str] = Field(
        [],
        max_length=MAX_FRAME_HOSTS,
        description="hosts whose pages may show the public dashboard, or a share link, in a frame",
    )
    default_period: DefaultPeriod = Field(
        DefaultPeriod.OF_GROUP,
        description="what its page opens with; '' is that of its group, or the last 30 days",
    )
    display: DisplayFields | None = Field(
        None, description="how its block looks; in a change, null takes back what was set"
    )


class NewSite(SiteFields):
    """A site that is to be created."""

    slug: NewSlug
