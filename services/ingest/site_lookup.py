"""The sites that hits are taken for: a copy of what the API publishes in Redis."""

import asyncio
import logging
from collections.abc import Mapping

import msgspec
from redis.asyncio import Redis

from services.ingest.lastgood import LastGood
from services.log import keys as log_keys
from services.model.site import ANY_HOST, Site
from services.state import keys

_log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(Site)


class Registry:
    """Finds sites by slug or host. What was read last stays when Redis cannot be asked."""

    def __init__(self, redis: Redis, last_good: LastGood) -> None:
        self._redis = redis
        self._last_good = last_good
        self._read: Mapping[bytes, bytes] | None = None
        self._sites: dict[str, Site] = {}
        self._hosts: dict[str, Site] = {}
        self._below: dict[str, Site] = {}

    @property
    def loaded(self) -> bool:
        """Whether the sites were read at least once."""
        return self._read is not None

    async def refresh(self) -> None:
        """Read the sites again. Raises redis.exceptions.RedisError and keeps what it has.

        A Redis that has lost everything (its partitions too) has lost the sites: the last good
        copy is kept until the API has published them again.
        """
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.SITES)
            pipeline.exists(log_keys.PARTITIONS)
            read, partitions = await pipeline.execute()
        if read != self._read and (read or partitions or not self._read):
            self._update(read)
            await asyncio.to_thread(self._last_good.write, read)

    async def restore(self) -> bool:
        """Take the sites from the copy on the disk; tell whether there is one."""
        read = await asyncio.to_thread(self._last_good.read)
        if read is not None:
            self._update(read)
        return read is not None

    def find(self, domain: str) -> Site | None:
        """Return the site that an event's domain names: a slug, a host, or several with commas.

        Of several, the first that is known; of two sites with one host, the older.
        """
        site = self._sites.get(domain)
        if site is not None:
            return site
        for name in domain.lower().split(","):
            site = self._find_one(name.strip().rstrip("."))
            if site is not None:
                return site
        return None

    def _find_one(self, name: str) -> Site | None:
        site = self._sites.get(name) or self._hosts.get(name.removeprefix("www."))
        while site is None and "." in name:
            name = name.partition(".")[2]
            site = self._below.get(name)
        return site

    def _update(self, read: Mapping[bytes, bytes]) -> None:
        sites: dict[str, Site] = {}
        for key, value in read.items():
            slug = key.decode(errors="replace")
            try:
                sites[slug] = _decoder.decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
        self._read, self._sites, self._hosts, self._below = read, sites, hosts, below
