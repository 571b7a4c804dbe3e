"""The registry of sites."""

import logging

import msgspec

from services.model.site import Site
from services.store.interface import Store

log = logging.getLogger(__name__)


async def load(store: Store) -> list[Site]:
    """Return every site, by slug; one that this version cannot read is told and left out."""
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


async def save(store: Store, site: Site, version: int) -> None:
    """Write a site; the highest version of a slug counts (the time in ms is a good one)."""
    await _write(store, site.slug, version, deleted=0, body=msgspec.json.encode(site).decode())


async def remove(store: Store, slug: str, version: int) -> None:
    """Take a site from the registry; what was counted for it stays."""
    await _write(store, slug, version, deleted=1, body="")


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
