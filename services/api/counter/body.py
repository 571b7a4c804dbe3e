"""The body of a response: JSON, and an ETag that does not depend on when it was read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import NamedTuple

import msgspec

from services.api.counter.reading import Reading
from services.http.etag import weak
from services.model.calendar import zone
from services.model.site import Metric, Site

_json = msgspec.json.Encoder()


class OnlineNow(NamedTuple):
    """Visitors and bots online, and whether that could just be read."""

    visitors: int
    is_current: bool
    bots: int = 0

    def plus(self, other: "OnlineNow") -> "OnlineNow":
        """Return who is online on both sites together."""
        return OnlineNow(
            self.visitors + other.visitors,
            self.is_current and other.is_current,
            self.bots + other.bots,
        )


class TaggedBody(msgspec.Struct, frozen=True):
    """The body of a response, and its ETag."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, numbers: Mapping[str, object]) -> "TaggedBody":
        """Encode numbers."""
        return cls(_json.encode(numbers), weak(_json.encode({**numbers, "as_of": None})))

    def with_more(self, field: str, numbers: Mapping[str, object]) -> "TaggedBody":
        """Return the body with the numbers of pages, or of files, added to it."""
        encoded = _json.encode({field: numbers})[1:]
        body = self.body[:-1] + b"," + encoded
        return TaggedBody(body, weak(self.etag.encode() + encoded))


class SiteNumbers:
    """A reading of a site in one measure, and the bodies made of it, each encoded once."""

    def __init__(self, site: Site, metric: Metric, reading: Reading, online: OnlineNow) -> None:
        self.site = site
        self.metric = metric
        self.reading = reading
        self.online = online
        self.current = self._encode(reading.day, online, reading.as_of, stale=not online.is_current)
        self._now: tuple[OnlineNow, TaggedBody] | None = None
        self._stale: tuple[tuple[int, OnlineNow, int], TaggedBody] | None = None

    @classmethod
    def sum_of(cls, site: Site, parts: Sequence["SiteNumbers"]) -> "SiteNumbers":
        """Return the numbers of a site and of those merged into it, as the site's."""
        reading = reduce(Reading.plus, [part.reading for part in parts])
        return cls(
            site, parts[0].metric, reading, reduce(OnlineNow.plus, [p.online for p in parts])
        )

    def as_set(self, site: Site) -> "SiteNumbers":
        """Return the numbers with the site's current name and display settings.

        They may have been read, or be refreshed, with settings that have changed since.
        """
        if site == self.site:
            return self
        named = msgspec.structs.replace(self.site, slug=site.slug, display=site.display)
        return SiteNumbers(named, self.metric, self.reading, self.online)

    def now(self, online: OnlineNow) -> TaggedBody:
        """Return the body with who is online now."""
        if online == self.online:
            return self.current
        if self._now is None or self._now[0] != online:
            reading = self.reading
            body = self._encode(reading.day, online, reading.as_of, stale=not online.is_current)
            self._now = (online, body)
        return self._now[1]

    def stale(self, today: int, online: OnlineNow, as_of: int) -> TaggedBody:
        """Return the stale body as of a day; `as_of` is the time of the oldest part, in ms."""
        key = (today, online, as_of)
        if self._stale is None or self._stale[0] != key:
            self._stale = (key, self._encode(today, online, as_of, stale=True))
        return self._stale[1]

    def _encode(self, today: int, online: OnlineNow, as_of: int, *, stale: bool) -> TaggedBody:
        site, reading = self.site, self.reading
        peak = reading.peak_of(today)
        display = msgspec.to_builtins(site.display)
        return TaggedBody.of(
            {
                "site": site.slug,
                "as_of": iso(as_of, site.zone_at(as_of)),
                "timezone": site.zone_at(as_of),
                "metric": self.metric,
                "stale": stale,
                "since": reading.since,
                "online": online.visitors,
                "bots": online.bots,
                # Luot does not know who has an account on the portal: all but bots are guests.
                "guests": online.visitors,
                **reading.numbers(today),
                "peak": {
                    "online": peak.online if peak else 0,
                    "at": iso(peak.at, site.zone_at(peak.at)) if peak else None,
                },
                **({"display": display} if display else {}),
            }
        )


def iso(at_ms: int, timezone: str) -> str:
    """Return a time in the site's time zone, to the second, with its offset."""
    return datetime.fromtimestamp(at_ms // 1000, zone(timezone)).isoformat()
