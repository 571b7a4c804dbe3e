"""Where titles of a site come from, and the last crawl of its portal."""

from typing import NamedTuple

from services.store.interface import Store


class TitlePlan(NamedTuple):
    """Settings for the titles of a site; the newest version counts.

    sitemap  its address, '' for the one that the portal names itself
    daily    whether the portal is crawled once a day
    in_top   whether the public list of most read pages has titles
    """

    site: str
    version: int = 0
    sitemap: str = ""
    daily: int = 0
    in_top: int = 0
    author: str = ""


class TitleRun(NamedTuple):
    """A crawl of a portal; the newest version counts.

    state       running, done, cancelled or failed
    author      who started it; '' if it started automatically
    started     in ms since 1970, like `ended`, which is 0 while it runs
    sitemaps    that were read, or had not changed
    named       pages that the sitemaps named for the first time
    asked       pages whose title was requested
    found       titles that are new or have changed
    problem     what went wrong, with a page or with everything
    validators  HTTP validators of its sitemaps, as JSON: [etag, modified] by address
    """

    site: str
    version: int = 0
    state: str = ""
    author: str = ""
    started: int = 0
    ended: int = 0
    sitemaps: int = 0
    named: int = 0
    asked: int = 0
    found: int = 0
    problem: str = ""
    validators: str = ""


_PLAN = """
SELECT site, max(version), argMax(sitemap, version), argMax(daily, version),
    argMax(in_top, version), argMax(author, version)
FROM title_plans
WHERE site = %(site)s
GROUP BY site
"""

_DAILY = """
SELECT site
FROM title_plans
GROUP BY site
HAVING argMax(daily, version) = 1
ORDER BY site
"""

_RUN = """
SELECT site, max(version), argMax(state, version), argMax(author, version),
    argMax(started, version), argMax(ended, version), argMax(sitemaps, version),
    argMax(named, version), argMax(asked, version), argMax(found, version),
    argMax(problem, version), argMax(validators, version)
FROM title_runs
WHERE site = %(site)s
GROUP BY site
"""


async def plan(store: Store, site: str) -> TitlePlan:
    """Return the settings for the titles of a site. Raises StoreError."""
    rows = await store.execute(_PLAN, {"site": site})
    return TitlePlan(*rows[0]) if rows else TitlePlan(site)


async def run(store: Store, site: str) -> TitleRun:
    """Return the last crawl of a portal; without a state if there was none. Raises StoreError."""
    rows = await store.execute(_RUN, {"site": site})
    return TitleRun(*rows[0]) if rows else TitleRun(site)


async def daily(store: Store) -> list[str]:
    """Return the sites whose portals are crawled once a day. Raises StoreError."""
    return [site for (site,) in await store.execute(_DAILY)]


async def save_plan(store: Store, one: TitlePlan) -> None:
    """Write the settings for the titles of a site. Raises StoreError."""
    await store.insert("title_plans", {name: [value] for name, value in one._asdict().items()})


async def save_run(store: Store, one: TitleRun) -> None:
    """Write the state of a crawl. Raises StoreError."""
    await store.insert("title_runs", {name: [value] for name, value in one._asdict().items()})
