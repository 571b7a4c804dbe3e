"""The registry of sites."""

import logging
from typing import NamedTuple

import msgspec

from services.model.site import Site
from services.store.interface import Store

log = logging.getLogger(__name__)

_REMOVED_ITSELF = 1
_RENAMED = 2
"""Value of `deleted` for a slug whose site has another one now."""

_REMOVED = """
SELECT argMax(deleted, version), argMax(body, version)
FROM sites
WHERE slug = %(slug)s
GROUP BY slug
"""


class RemovedSite(NamedTuple):
    """A site that was removed, or got another slug.

    site   its settings, if they are kept: it was not erased
    names  of its hits and counters, and those of earlier sites with this slug; none if the site
           still exists
    """

    site: Site | None
    names: tuple[str, ...]


async def load(store: Store) -> list[Site]:
    """Return every site, by slug; one that this version cannot read is reported and skipped."""
    rows = await store.execute(
        """
        SELECT slug, argMax(body, version)
        FROM sites
        GROUP BY slug
        HAVING argMax(deleted, version) = 0
        ORDER BY slug
        """
    )
    return [site for slug, body in rows if (site := _decode(slug, body)) is not None]


async def latest_version(store: Store) -> int:
    """Return the highest version of any site; 0 if there was none."""
    ((version,),) = await store.execute("SELECT max(version) FROM sites")
    return int(version)


async def save(store: Store, site: Site, version: int) -> None:
    """Write a site; the highest version of a slug counts (the time in ms is a good one)."""
    await _write(store, site.slug, version, deleted=0, body=msgspec.json.encode(site).decode())


async def remove(store: Store, slug: str, version: int, removed: Site | None = None) -> None:
    """Remove a site from the registry; what was counted for it stays.

    removed  its settings, for as long as it may be brought back
    """
    body = "" if removed is None else msgspec.json.encode(removed).decode()
    await _write(store, slug, version, deleted=1, body=body)


async def rename(store: Store, old: str, site: Site, version: int) -> None:
    """Give a site another slug, atomically."""
    await store.insert(
        "sites",
        {
            "slug": [old, site.slug],
            "version": [version] * 2,
            "deleted": [_RENAMED, 0],
            "body": ["", msgspec.json.encode(site).decode()],
        },
    )


async def removed(store: Store, slug: str) -> RemovedSite | None:
    """Return what is left of the last site with a slug; None if no site ever had it."""
    for deleted, body in await store.execute(_REMOVED, {"slug": slug}):
        site = _decode(slug, body) if body else None
        if deleted != _REMOVED_ITSELF:
            return RemovedSite(None, ())
        return RemovedSite(site, (slug,) if site is None else (*site.earlier, site.kept_as))
    return None


async def _write(store: Store, slug: str, version: int, deleted: int, body: str) -> None:
    await store.insert(
        "sites", {"slug": [slug], "version": [version], "deleted": [deleted], "body": [body]}
    )


def _decode(slug: str, body: str) -> Site | None:
    try:
        return msgspec.json.decode(body, type=Site)
    except msgspec.MsgspecError as error:
        log.error("the settings of site %r cannot be read, it is left out: %s", slug, error)
        return None
