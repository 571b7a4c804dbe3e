"""The log as it passes, hit by hit, as server-sent events (WHATWG HTML, section 9.2)."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.access.principal import Principal
from services.api.access.route import Who, admin_router, needs
from services.api.sites.registry import Registry
from services.http.errors import ApiError, bad_request, shown, unavailable, unknown_site
from services.log.errors import LogError
from services.log.tail import TailRead, Tails
from services.model.account import Role
from services.model.downloads import are_downloads
from services.model.hit import Hit, Visit
from services.model.kept_apart import kind_of, site_of
from services.model.partition import partition_of
from services.model.site import Site

MAX_SINCE_SECONDS = 7 * 86_400
LONGEST_SECONDS = 600.0
"""A client has to reconnect after this, and is authenticated again."""
RETRY_SECONDS = 5


class Passed(msgspec.Struct, frozen=True):
    """A hit as a user may see it; the address and the User-Agent were never stored.

    time      when it was received, in the site's time zone
    apart     what it is instead of a view: downloads, not_found, searches, outbound_links; '' for a
              view. Then `path` is the file, page, search terms or link, and `source`, except for a
              download, the page that led to it
    own_path  for a hit that counts under `(other)`, the path of its page; else ''
    visit     whether it starts a visit; None while the aggregator has not decided
    """

    time: str
    site: str
    path: str
    own_path: str
    bot: bool
    download: bool
    apart: str
    visit: bool | None
    device: str
    browser: str
    os: str
    country: str
    region: str
    source: str


def router(registry: Callable[[], Registry], tails: Callable[[], Tails]) -> APIRouter:
    """Return the route; the arguments are called for every request."""
    routes = admin_router()

    @routes.get(
        "/tail",
        response_class=Response,
        responses={
            200: {
                "description": "server-sent events; `data` is one hit as JSON",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    @needs(Role.VIEWER)
    async def tail(
        who: Who,
        site: Annotated[str | None, Query(description="of this site only")] = None,
        since: Annotated[
            float, Query(ge=0, le=MAX_SINCE_SECONDS, description="begin so many seconds ago")
        ] = 0.0,
        last_event_id: Annotated[str, Header(description="where an earlier answer ended")] = "",
    ) -> Response:
        """Hits as they pass, of your sites. It ends after ten minutes; go on with Last-Event-ID."""
        sites = _sites(registry(), who, site)
        following = tails()
        partitions = {partition_of(name, following.partitions) for name in sites}
        if site is None and who.is_owner:
            partitions = set(range(following.partitions))
        after = _positions(last_event_id)
        try:
            now = await following.now()
        except LogError as error:
            raise unavailable(f"the log cannot be reached: {error}") from error
        if refusal := following.refusal(who.name):
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"tail": f"{refusal}; try again later"},
                {"Retry-After": str(RETRY_SECONDS)},
            )
        reads = following.read(partitions, now - int(since * 1000), after)
        following.enter(who.name)
        return _Followed(
            partial(following.leave, who.name),
            _body(reads, lambda name: _seen(registry(), who, site, name)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


class _Followed(StreamingResponse):
    """A stream that reports its end, however it ended."""

    def __init__(self, ended: Callable[[], None], *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


def _sites(registry: Registry, who: Principal, only: str | None) -> list[str]:
    registry.require_known()
    if only is None:
        return [site.kept_as for site in registry.all() if who.has(site.slug)]
    known = registry.get(only)
    if known is None or not who.has(known.slug):
        raise unknown_site(only)
    return [known.kept_as]


def _seen(registry: Registry, who: Principal, only: str | None, kept_as: str) -> Site | None:
    site = registry.kept(kept_as)
    if site is None or not who.has(site.slug):
        return None
    return site if only is None or registry.get(only) is site else None


async def _body(
    reads: AsyncGenerator[TailRead, None], seen: Callable[[str], Site | None]
) -> AsyncIterator[bytes]:
    """Write reads as events. The connection cuts off a client that does not read them."""
    ends = time.monotonic() + LONGEST_SECONDS
    yield b": hits follow\n\n"
    with suppress(LogError):
        async with aclosing(reads):
            async for read in reads:
                yield b"".join(_events(read, seen))
                if time.monotonic() >= ends:
                    return


def _events(read: TailRead, seen: Callable[[str], Site | None]) -> Iterable[bytes]:
    seen_any = False
    for hits in read.batches:
        for hit in hits.hits():
            site = seen(site_of(hit.site))
            if site is not None:
                seen_any = True
                yield b"data: %b\n\n" % msgspec.json.encode(passed(hit, site))
    if seen_any:
        at = ",".join(f"{partition}:{position}" for partition, position in read.next.items())
        yield f"event: reached\nid: {at}\ndata:\n\n".encode()
    else:
        yield b":\n\n"


def passed(hit: Hit, site: Site) -> Passed:
    """Return a hit of a site as a user may see it."""
    at = site.local(hit.at)
    visit = None if hit.visit is Visit.UNDECIDED else hit.visit is Visit.STARTS
    return Passed(
        time=at.isoformat(timespec="milliseconds"),
        site=site.slug,
        path=hit.path,
        own_path=hit.own_path,
        bot=hit.bot,
        download=are_downloads(hit.site),
        apart=kind_of(hit.site) or "",
        visit=visit,
        device=hit.device,
        browser=hit.browser,
        os=hit.os,
        country=hit.country,
        region=hit.region,
        source=hit.source,
    )


def _positions(event_id: str) -> dict[int, int]:
    positions: dict[int, int] = {}
    try:
        for part in filter(None, event_id.split(",")):
            partition, position = part.split(":")
            positions[int(partition)] = int(position)
    except ValueError:
        raise bad_request(
            "last-event-id", f"{shown(event_id)}; expected what the event `reached` had"
        ) from None
    if any(not 0 <= at < 1 << 63 for at in positions.values()):
        raise bad_request("last-event-id", f"{shown(event_id)} names no place in the log")
    return positions
