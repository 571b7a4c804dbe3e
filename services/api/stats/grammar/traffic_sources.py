"""Names of sources: one name for all hosts and campaigns of Google, of Facebook, of Zalo.

The log keeps the host or campaign that a visit came from. Its name is looked up when numbers are
read, so a better list applies to all of history. Most of the list comes from a package
(`referrers.json`, imported by `python -m tests.sources.take`); `referrers.toml` adds to it.
"""

import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

LISTED = "referrers.json"
ADDED = "referrers.toml"


class Channel(StrEnum):
    """How visitors come, under the names that Plausible has for most of them."""

    DIRECT = "Direct"
    SEARCH = "Organic Search"
    SOCIAL = "Organic Social"
    VIDEO = "Organic Video"
    ASSISTANTS = "AI Assistants"
    EMAIL = "Email"
    CAMPAIGNS = "Campaigns"
    REFERRAL = "Referral"


class Known(NamedTuple):
    """A name, and its channel."""

    name: str
    channel: Channel


class TrafficSources(NamedTuple):
    """The list.

    exact  sources in lower case: hosts without `www.`, apps, and campaigns
    below  hosts whose subdomains count for them as well, unless these are in `exact`
    mediums  channels by the utm_medium of a link, in lower case
    """

    exact: Mapping[str, Known]
    below: Mapping[str, Known]
    mediums: Mapping[str, Channel]

    def known(self, source: str) -> Known | None:
        """Return who a source is; None when it is not in the list."""
        source = source.lower()
        if source in self.exact:
            return self.exact[source]
        ends = (known for host, known in self.below.items() if source.endswith(f".{host}"))
        return next(ends, None)

    def called(self, source: str) -> str:
        """Return the name of a source; the source itself when it is not in the list."""
        known = self.known(source)
        return known.name if known else source

    def channel_of(self, source: str, medium: str = "") -> Channel:
        """Return the channel; an unknown source with a dot is a host, others are campaigns."""
        if channel := self.mediums.get(medium.lower()):
            return channel
        if not source:
            return Channel.CAMPAIGNS if medium else Channel.DIRECT
        if known := self.known(source):
            return known.channel
        return Channel.REFERRAL if "." in source else Channel.CAMPAIGNS

    def of_names(self, wanted: Callable[[str], bool]) -> "TrafficSources":
        """Return the part of the list whose names are wanted."""
        return TrafficSources(
            {source: known for source, known in self.exact.items() if wanted(known.name)},
            {host: known for host, known in self.below.items() if wanted(known.name)},
            self.mediums,
        )


class _Listed(msgspec.Struct):
    channels: dict[str, dict[str, list[str]]]


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    channel: str
    hosts: list[str] = []
    below: list[str] = []
    campaigns: list[str] = []


class _Added(msgspec.Struct, forbid_unknown_fields=True):
    mediums: dict[str, list[str]]
    source: list[_Source]


_CHANNELS = {
    "search": Channel.SEARCH,
    "social": Channel.SOCIAL,
    "video": Channel.VIDEO,
    "assistants": Channel.ASSISTANTS,
    "email": Channel.EMAIL,
    "paid": Channel.CAMPAIGNS,
}


@cache
def traffic_sources() -> TrafficSources:
    """Return the list, read once."""
    folder = files("services.api.stats.grammar")
    listed = msgspec.json.decode((folder / LISTED).read_bytes(), type=_Listed)
    added = msgspec.convert(tomllib.loads((folder / ADDED).read_text("utf-8")), _Added)
    exact = {
        host: Known(name, _CHANNELS[channel])
        for channel, named in listed.channels.items()
        for name, hosts in named.items()
        for host in hosts
    }
    below: dict[str, Known] = {}
    for source in added.source:
        known = Known(source.name, _CHANNELS[source.channel])
        below.update(dict.fromkeys(source.below, known))
        exact.update(dict.fromkeys((*source.hosts, *source.campaigns), known))
    mediums = {
        medium: _CHANNELS[channel] for channel, named in added.mediums.items() for medium in named
    }
    return TrafficSources(exact, below, mediums)
