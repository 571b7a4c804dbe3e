"""Numbers of sites that others are merged into, and of pages that have several paths.

Each part is read, kept on its own floor, and remembered as last shown by itself. They are added up
only afterwards, so merging and undoing it changes nothing that is stored.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import reduce
from typing import Generic, NamedTuple, TypeVar

from services.api.counter.body import SiteNumbers
from services.api.counter.pages import PageKey
from services.api.counter.reader import CounterKey
from services.api.counter.reading import PageReading
from services.api.sites.registry import Registry
from services.model.downloads import are_downloads, downloads_of
from services.model.kept_apart import site_of
from services.model.site import Site

K = TypeVar("K", CounterKey, PageKey)
V = TypeVar("V")

Read = Callable[[dict[str, Site], Sequence[K]], Awaitable[dict[K, V]]]


class _Parts(NamedTuple, Generic[K]):
    """What a number is made of: the keys of its parts, and their sites by name."""

    site: Site
    keys: tuple[K, ...]
    sites: Mapping[str, Site]


class Merged:
    """Reads parts and adds them up; leaves out what has a part that may not be shown."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def numbers(
        self, keys: Sequence[CounterKey], read: Read[CounterKey, SiteNumbers]
    ) -> dict[CounterKey, SiteNumbers]:
        """Return the numbers of counters, by the name that their site is kept under."""
        parts = self._of_sites(keys)
        readings = await _read(parts, read)
        return {
            key: readings[key]
            if len(of.keys) == 1
            else SiteNumbers.sum_of(of.site, [readings[part] for part in of.keys])
            for key, of in parts.items()
            if all(part in readings for part in of.keys)
        }

    async def pages(
        self, keys: Sequence[PageKey], read: Read[PageKey, PageReading]
    ) -> dict[PageKey, PageReading]:
        """Return the views of pages, by site, or the name of its downloads, and path."""
        parts = self._of_pages(keys)
        readings = await _read(parts, read)
        return {
            key: reduce(PageReading.plus, [readings[part] for part in of.keys])
            for key, of in parts.items()
            if all(part in readings for part in of.keys)
        }

    def online_of(self, site: Site) -> list[Site]:
        """Return the sites whose readers count as online on a site."""
        return list(self._registry.parts(site))

    def _of_sites(self, keys: Sequence[CounterKey]) -> dict[CounterKey, _Parts[CounterKey]]:
        parts = {}
        for name, metric in keys:
            site = self._registry.kept(name)
            if site is not None:
                sites = {part.kept_as: part for part in self._registry.parts(site)}
                parts[name, metric] = _Parts(site, tuple((one, metric) for one in sites), sites)
        return parts

    def _of_pages(self, keys: Sequence[PageKey]) -> dict[PageKey, _Parts[PageKey]]:
        parts = {}
        for name, path in keys:
            site = self._registry.kept(site_of(name))
            if site is None:
                continue
            files = are_downloads(name)
            sites = {
                downloads_of(part.kept_as) if files else part.kept_as: part
                for part in self._registry.parts(site)
            }
            addresses = (path,) if files else site.addresses_of(path)
            pages = tuple((one, address) for one in sites for address in addresses)
            parts[name, path] = _Parts(site, pages, sites)
        return parts


async def _read(parts: Mapping[K, _Parts[K]], read: Read[K, V]) -> dict[K, V]:
    """Read every part once; read nothing when there are none."""
    if not parts:
        return {}
    sites: dict[str, Site] = {}
    keys: dict[K, None] = {}
    for of in parts.values():
        sites |= of.sites
        keys |= dict.fromkeys(of.keys)
    return await read(sites, list(keys))
