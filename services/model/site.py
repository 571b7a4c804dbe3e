"""A site: one portal, named by a slug."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from services.model import page_aliases, path_patterns
from services.model.calendar import day_start_ms, local_day, zone
from services.model.default_period import DefaultPeriod
from services.model.display import Display
from services.model.downloads import ENDING, ENDINGS, NO_ENDINGS, ending_of
from services.model.hosts import MAX_LENGTH, fold
from services.model.page_aliases import MAX_ALIASES, PageAlias
from services.model.paths import normalise, with_route
from services.model.searches import MAX_PARAMETERS, searched

DEFAULT_TIMEZONE = "Asia/Ho_Chi_Minh"
ANY_HOST = "*"

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"
_HOST = re.compile(
    r"^(?:\*|(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*)$"
)

MAX_HIDDEN = 200
MAX_FORMER = 20
MAX_ENDINGS = 100
MAX_EXCLUDED = 100
MAX_MIN_VISITORS = 100
ANY_TEXT = "*"
MAX_FRAME_HOSTS = 20

Slug = Annotated[str, msgspec.Meta(pattern=SLUG_PATTERN, max_length=64)]


class Metric(StrEnum):
    """What a counter counts."""

    VIEWS = "views"
    VISITS = "visits"
    VISITORS = "visitors"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One portal and its settings.

    kept_as      the name of its hits and counters, which never changes and is never reused for
                 another site: the slug, unless that was once the name of another site
    earlier      the names that removed, but not erased, sites with this slug were kept under
    page_aliases  paths that count as another page, see `page_aliases.py`
    former       slugs that it had before: snippets and URLs with them still work
    merged_into  the name under which the site is kept whose numbers include those of this one; ''
                 for none. This one is still counted under its own name.
    timezone_from  since when `timezone` applies instead of `timezone_before`, in ms since 1970;
                 0 if it always did
    hosts        host names whose pages are counted: 'mytho.example', '*.mytho.example' for every
                 name below it, '*' for any, each as `hosts.fold` makes it. A leading 'www.' of
                 the page's host is ignored.
    significant  query parameters that name a page ('tabid', 'nv'); all others are dropped
    excluded_pages  paths that are never counted, as `path_patterns.py` reads them: '/quan-tri/**'
    fold_case    paths that differ only in capitals are one page, counted in lower case
    hash_routes  routes in the fragment are paths: `/#/tin/1` is the page `/tin/1`
    download_endings  endings of files whose downloads are counted; if empty, those of
                 `downloads.py`; NO_ENDINGS alone is no file at all
    search_parameters  query parameters with the search terms on the site ('q', 'tukhoa'), by which
                 searches are counted; if empty, no searches are
    honour_dnt   no visitor hash for browsers that ask not to be tracked; the view still counts
    views_only   no visitor hash for anybody: no visits and no visitors, and everything shows views
    public_top   whether /api/top may be read by anyone
    hidden_pages paths that are left out of public lists of pages: '/a', or '/a/*' for a prefix
    top_min_visitors  how many visitors a page needs for the public list of most read pages; 0
                 for none. It has no effect if visitors are not recognised (views_only).
    frame_hosts  hosts whose pages may show the public dashboard, or what a share link shows, in a
                 frame; like `hosts`, without '*'
    public_dashboard  whether anyone may read the traffic behind the numbers
    default_period  the period that its page opens with
    display      the display settings of its block
    created_at   milliseconds since 1970, UTC
    """

    slug: Slug
    merged_into: str = ""
    kept_as: Annotated[str, msgspec.Meta(max_length=100)] = ""
    earlier: tuple[str, ...] = ()
    former: Annotated[tuple[Slug, ...], msgspec.Meta(max_length=MAX_FORMER)] = ()
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    timezone: Annotated[str, msgspec.Meta(max_length=64)] = DEFAULT_TIMEZONE
    timezone_before: Annotated[str, msgspec.Meta(max_length=64)] = ""
    timezone_from: Annotated[int, msgspec.Meta(ge=0)] = 0
    hosts: Annotated[tuple[str, ...], msgspec.Meta(max_length=100)] = ()
    metric: Metric = Metric.VISITS
    significant: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()
    excluded_pages: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_EXCLUDED)] = ()
    fold_case: bool = False
    hash_routes: bool = False
    download_endings: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ENDINGS)] = ()
    search_parameters: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_PARAMETERS)] = ()
    honour_dnt: bool = True
    views_only: bool = False
    public_top: bool = False
    page_aliases: Annotated[tuple[PageAlias, ...], msgspec.Meta(max_length=MAX_ALIASES)] = ()
    hidden_pages: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_HIDDEN)] = ()
    top_min_visitors: Annotated[int, msgspec.Meta(ge=0, le=MAX_MIN_VISITORS)] = 3
    public_dashboard: bool = False
    frame_hosts: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_FRAME_HOSTS)] = ()
    default_period: DefaultPeriod = DefaultPeriod.OF_GROUP
    display: Display = Display()
    created_at: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Check what types cannot express; ValueError names field, value and what was expected."""
        # In Python `$` also matches before a last newline.
        if self.slug.endswith("\n"):
            raise ValueError(f"slug: {self.slug!r} ends with a newline")
        if not self.kept_as:
            msgspec.structs.force_setattr(self, "kept_as", self.slug)
        zone(self.timezone)
        if self.timezone_from:
            zone(self.timezone_before)
        # One name per host: people type capitals, ports, and letters of their language.
        hosts = tuple(dict.fromkeys(map(fold, self.hosts)))
        msgspec.structs.force_setattr(self, "hosts", hosts)
        for host in hosts:
            if len(host) > MAX_LENGTH or not _HOST.fullmatch(host):
                raise ValueError(
                    f"hosts: {host!r} is not a host name; expected for example 'mytho.example',"
                    " '*.mytho.example' or '*', without scheme"
                )
        frames = tuple(dict.fromkeys(map(fold, self.frame_hosts)))
        msgspec.structs.force_setattr(self, "frame_hosts", frames)
        for host in frames:
            if host == ANY_HOST or len(host) > MAX_LENGTH or not _HOST.fullmatch(host):
                raise ValueError(
                    f"frame_hosts: {host!r} is not a host name; expected for example"
                    " 'mytho.example' or '*.mytho.example', without scheme"
                )
        for name in self.significant:
            if not re.fullmatch(r"[\w.-]{1,50}", name):
                raise ValueError(f"significant: {name!r} is not the name of a query parameter")
        for name in self.search_parameters:
            if not re.fullmatch(r"[\w.-]{1,100}", name):
                raise ValueError(
                    f"search_parameters: {name!r} is not the name of a query parameter"
                )
        endings = tuple(dict.fromkeys(map(_ending, self.download_endings)))
        msgspec.structs.force_setattr(self, "download_endings", endings)
        excluded = tuple(dict.fromkeys(map(path_patterns.checked, self.excluded_pages)))
        msgspec.structs.force_setattr(self, "excluded_pages", excluded)
        aliases = page_aliases.checked(self.page_aliases, self._counted_address)
        msgspec.structs.force_setattr(self, "page_aliases", aliases)
        hidden = tuple(dict.fromkeys(map(self._hidden, self.hidden_pages)))
        msgspec.structs.force_setattr(self, "hidden_pages", hidden)

    def _hidden(self, page: str) -> str:
        """Return a hidden page as it is counted, keeping a '*' at its end."""
        stem = page.removesuffix(ANY_TEXT)
        if not stem.startswith("/") or ANY_TEXT in stem:
            raise ValueError(
                f"hidden_pages: {page!r} is not a path; expected for example '/tin-tuc/1', or"
                " '/tin-tuc/*' for all that begin so"
            )
        path, _, query = stem.partition("?")
        counted = self.counted_path(path, query)
        if stem == page:
            return counted
        slash = "/" if stem.endswith("/") and counted != "/" else ""
        return f"{counted}{slash}{ANY_TEXT}"

    def _counted_address(self, address: str) -> str:
        path, _, query = address.partition("?")
        return self.counted_path(path, query)

    def page_of(self, path: str) -> str:
        """Return the page whose views include those of a path as counted; mostly itself."""
        return page_aliases.of(self.page_aliases).page_of(path) if self.page_aliases else path

    def addresses_of(self, page: str) -> tuple[str, ...]:
        """Return every path, as counted, whose views count as those of a page."""
        if not self.page_aliases:
            return (page,)
        return page_aliases.of(self.page_aliases).addresses_of(page)

    def addresses_below(self, stem: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return which other paths count as pages below; see `PageAliases.addresses_below`."""
        return page_aliases.of(self.page_aliases).addresses_below(stem)

    def hides(self, path: str) -> bool:
        """Tell whether a page, by its path as counted, is left out of public lists."""
        return any(
            path.startswith(page[:-1]) if page.endswith(ANY_TEXT) else path == page
            for page in self.hidden_pages
        )

    @property
    def slugs(self) -> tuple[Slug, ...]:
        """Every slug of the site: its own, and those that it had before."""
        return (self.slug, *self.former)

    @property
    def min_visitors(self) -> int:
        """The visitors that a page needs for the public list; 0 where none are recognised."""
        return 0 if self.views_only else self.top_min_visitors

    def zone_at(self, at_ms: int) -> str:
        """Return the time zone that applies at an instant."""
        return self.timezone if at_ms >= self.timezone_from else self.timezone_before

    def local(self, at_ms: int) -> datetime:
        """Return an instant, in ms since 1970, as a time in the zone that applies then."""
        return datetime.fromtimestamp(at_ms / 1000, zone(self.zone_at(at_ms)))

    def day_of(self, at_ms: int) -> int:
        """Return the site's day at an instant; days never go back, even if the zone changes."""
        day = local_day(at_ms, self.zone_at(at_ms))
        if self.timezone_from and at_ms >= self.timezone_from:
            return max(day, self._last_day_before())
        return day

    def start_of(self, day: int) -> int:
        """Return the first instant of one of the site's days, in ms since 1970."""
        if not self.timezone_from:
            return day_start_ms(day, self.timezone)
        if day <= self._last_day_before():
            return day_start_ms(day, self.timezone_before)
        return max(day_start_ms(day, self.timezone), self.timezone_from)

    def _last_day_before(self) -> int:
        """Return the day that was under way when `timezone` began to apply."""
        return local_day(self.timezone_from - 1, self.timezone_before)

    def counted_path(self, path: str, query: str = "") -> str:
        """Return the path under which a page of the site is counted; see `paths.normalise`."""
        if self.hash_routes:
            path, query = with_route(path, query)
        return normalise(path, query, self.significant, fold_case=self.fold_case)

    def searched(self, path: str, query: str) -> str:
        """Return the search terms of a results page of the site; '' for any other page."""
        if not self.search_parameters:
            return ""
        if self.hash_routes:
            path, query = with_route(path, query)
        return searched(query, self.search_parameters)

    def owns(self, host: str) -> bool:
        """Tell whether a host is named by the site; '*' names none."""
        return ANY_HOST not in self.hosts and self.allows(host)

    def counts_download(self, path: str) -> bool:
        """Tell whether downloads of the file at a path count."""
        ending = ending_of(path)
        return ending != NO_ENDINGS and ending in (self.download_endings or ENDINGS)

    def excludes(self, path: str) -> bool:
        """Tell whether a page is never counted, by its path as counted."""
        if not self.excluded_pages:
            return False
        page = path.partition("?")[0]
        return path_patterns.any_matches(self.excluded_pages, page, self.fold_case)

    def measure(self, asked: Metric | None = None) -> Metric:
        """Return the measure that its counter shows: the one asked for, or its own."""
        return Metric.VIEWS if self.views_only else asked or self.metric

    def allows(self, host: str) -> bool:
        """Tell whether pages of this host may be counted on the site; `host` is in lower case."""
        bare = host.removeprefix("www.")
        for allowed in self.hosts:
            if allowed in (ANY_HOST, host) or allowed.removeprefix("www.") == bare:
                return True
            if allowed.startswith("*.") and host.endswith(allowed[1:]):
                return True
        return False


def _ending(given: str) -> str:
    """Return a file ending in lower case, without a dot. Raises ValueError."""
    ending = given.strip().lower().removeprefix(".")
    if not ENDING.fullmatch(ending):
        raise ValueError(
            f"download_endings: {given!r} is not the ending of a file; expected for example 'pdf',"
            f" or {NO_ENDINGS!r} alone for no downloads"
        )
    return ending
