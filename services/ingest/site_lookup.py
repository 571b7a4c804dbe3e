"""The sites that hits are taken for: a copy of what the API publishes in Redis."""

import asyncio
import logging
from collections.abc import Mapping
from uuid import uuid4

import msgspec

from services.ingest.sites_file import SitesFile
from services.log import keys as log_keys
from services.model.hosts import MAX_LENGTH, fold
from services.model.site import ANY_HOST, Site
from services.runtime.json_errors import NOT_JSON
from services.state.sites import PublishedSites
from services.state.state import State

_log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(Site)

MAX_NAMES = 20
"""How many names of one event are looked up: folding thousands would hold up other hits."""


class SiteLookup:
    """Finds sites by slug or host. Keeps the last good copy while shared state is down."""

    def __init__(self, state: State, file: SitesFile) -> None:
        self._published = PublishedSites(state)
        self._file = file
        self._reader = uuid4().hex
        self._bodies: Mapping[bytes, bytes] | None = None
        self._sites: dict[str, Site] = {}
        self._named: dict[str, Site] = {}
        self._hosts: dict[str, Site] = {}
        self._below: dict[str, Site] = {}

    @property
    def loaded(self) -> bool:
        """Whether the sites were read at least once."""
        return self._bodies is not None

    def completed(self, path: str, domain: str) -> str:
        """Return the URL of a page given by its path, on the first host of its site; '' if none."""
        site = self.find(domain)
        hosts = () if site is None or path.startswith("//") else site.hosts
        host = next((host for host in hosts if ANY_HOST not in host), "")
        return f"https://{host}{path}" if host else ""

    async def refresh(self) -> None:
        """Refresh the sites. Raises StateError and keeps the last good copy.

        A Redis that has lost everything (the log too) has lost the sites: the last good copy is
        kept until the API has published them again.
        """
        published = await self._published.read_beside(log_keys.PARTITIONS)
        bodies = published.bodies
        if bodies != self._bodies and (bodies or published.has_log or not self._bodies):
            self._update(bodies)
            await asyncio.to_thread(self._file.write, bodies)

    async def acknowledge(self) -> None:
        """Publish which sites are known here. Raises StateError."""
        if self._bodies is not None:
            await self._published.acknowledge(self._reader, self._bodies)

    async def restore(self) -> bool:
        """Load the sites from the copy on disk; tell whether there is one."""
        bodies = await asyncio.to_thread(self._file.read)
        if bodies is not None:
            self._update(bodies)
        return bodies is not None

    def find(self, domain: str) -> Site | None:
        """Return the site that an event's domain names: a slug, a host, or several with commas.

        Of several, up to MAX_NAMES, the first that is known; of two sites with one host, the older.
        """
        site = self._named.get(domain)
        if site is not None:
            return site
        for name in domain.split(",", MAX_NAMES)[:MAX_NAMES]:
            site = self._find_one(fold(name))
            if site is not None:
                return site
        return None

    def _find_one(self, name: str) -> Site | None:
        if len(name) > MAX_LENGTH:
            # No host is that long, and looking up what is behind each of its dots would hold up
            # other hits.
            return None
        site = self._named.get(name) or self._hosts.get(name.removeprefix("www."))
        while site is None and "." in name:
            name = name.partition(".")[2]
            site = self._below.get(name)
        return site

    def _update(self, bodies: Mapping[bytes, bytes]) -> None:
        sites: dict[str, Site] = {}
        for key, value in bodies.items():
            slug = key.decode(errors="replace")
            try:
                sites[slug] = _decoder.decode(value)
            except NOT_JSON as error:
                _log.error("site %s: %s; keeping what was known of it", slug, error)
                if slug in self._sites:
                    sites[slug] = self._sites[slug]
        hosts: dict[str, Site] = {}
        below: dict[str, Site] = {}
        for site in sorted(sites.values(), key=lambda site: (site.created_at, site.slug)):
            for host in site.hosts:
                if host.startswith("*."):
                    below.setdefault(host[2:], site)
                elif host != ANY_HOST:
                    hosts.setdefault(host.removeprefix("www."), site)
        self._bodies, self._sites, self._hosts, self._below = bodies, sites, hosts, below
        named = {**sites, **_with_hosts(sites)}
        self._named = {slug: site for site in named.values() for slug in site.former} | named


def _with_hosts(sites: Mapping[str, Site]) -> dict[str, Site]:
    """Return merged sites, each with the hosts of those that it is merged with.

    Merged portals have pages with the old snippet on the new host, and vice versa.
    """
    merged = [site for site in sites.values() if site.merged_into]
    by_name = {site.kept_as: site for site in sites.values()} if merged else {}
    hosts: dict[str, list[str]] = {}
    for site in merged:
        into = by_name.get(site.merged_into)
        if into is not None:
            hosts.setdefault(site.slug, []).extend(into.hosts)
            hosts.setdefault(into.slug, []).extend(site.hosts)
    return {
        slug: msgspec.structs.replace(sites[slug], hosts=(*sites[slug].hosts, *more))
        for slug, more in hosts.items()
    }
