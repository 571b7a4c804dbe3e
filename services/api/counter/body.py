"""The body of a response: JSON, and an ETag that does not depend on when it was read."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from services.api.counter.reading import Reading
from services.http.etag import weak
from services.model.calendar import zone
from services.model.site import Metric, Site

_json = msgspec.json.Encoder()


class OnlineNow(NamedTuple):
    """Visitors online, and whether that could be read now."""

    visitors: int
    is_current: bool


class TaggedBody(msgspec.Struct, frozen=True):
    """The body of a response, and its ETag."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, numbers: Mapping[str, object]) -> "TaggedBody":
        """Encode numbers."""
        return cls(_json.encode(numbers), weak(_json.encode({**numbers, "as_of": None})))

    def with_pages(self, pages: Mapping[str, object]) -> "TaggedBody":
        """Return the body with the views of pages added to it."""
        encoded = _json.encode(pages)
        body = self.body[:-1] + b',"paths":' + encoded + b"}"
        return TaggedBody(body, weak(self.etag.encode() + encoded))


class SiteNumbers:
    """A reading of a site in one measure, and the bodies made of it, each encoded once."""

    def __init__(self, site: Site, metric: Metric, reading: Reading, online: OnlineNow) -> None:
        self.site = site
        self.metric = metric
        self.reading = reading
        self.current = self._encode(
            reading.day, online.visitors, reading.as_of, stale=not online.is_current
        )
        self._stale: tuple[tuple[int, int, int], TaggedBody] | None = None

    def stale(self, today: int, online: int, as_of: int) -> TaggedBody:
        """Return the stale body as of a day; `as_of` is the time of the oldest part, in ms."""
        key = (today, online, as_of)
        if self._stale is None or self._stale[0] != key:
            self._stale = (key, self._encode(today, online, as_of, stale=True))
        return self._stale[1]

    def _encode(self, today: int, online: int, as_of: int, *, stale: bool) -> TaggedBody:
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
                "online": online,
                **reading.numbers(today),
                "peak": {
                    "online": peak.online if peak else 0,
                    "at": iso(peak.at, site.zone_at(peak.at)) if peak else None,
                },
                **({"display": display} if display else {}),
            }
        )


def iso(at_ms: int, timezone: str) -> str:
    """Return a time as the site's clocks show it, to the second, with its offset."""
    return datetime.fromtimestamp(at_ms // 1000, zone(timezone)).isoformat()
