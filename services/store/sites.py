"""The registry of sites."""

import msgspec

from services.model.site import Site
from services.store.interface import Store, StoreError


async def load(store: Store) -> list[Site]:
    """Return every site, by slug. Raises StoreError for one that this version cannot read."""
    rows = await store.execute(
        """
        SELECT slug, argMax(body, version)
        FROM sites
        GROUP BY slug
        HAVING argMax(deleted, version) = 0
        ORDER BY slug
        """
    )
    return [_decode(slug, body) for slug, body in rows]


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


def _decode(slug: str, body: str) -> Site:
    try:
        return msgspec.json.decode(body, type=Site)
    except msgspec.MsgspecError as error:
        raise StoreError(f"the settings of site {slug!r} cannot be read: {error}") from error
