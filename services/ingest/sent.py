"""What a server sends for its readers: one event or an array, each saying whose it is."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from services.http.client_address import parse
from services.http.response import Header
from services.ingest import http
from services.ingest.drops import DropReason
from services.ingest.event import Body, Errors, Event, EventError, decoded, event_of
from services.ingest.http import IngestResponse

MAX_EVENTS = 500
"""Events in one array."""
OLDEST_MS = 3600 * 1000
"""How old an event with its own timestamp may be."""
AHEAD_MS = 60 * 1000
"""How far a server's clock may be ahead; such an event is dated now."""


class SentEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with what its sender vouches for.

    address     of the reader; '' means that in X-Forwarded-For of the request
    user_agent  of the reader; None means that of the request
    at          when the page was seen, in ms since 1970; None means now
    """

    event: Event
    address: str
    user_agent: bytes | None
    at: int | None


class Result(msgspec.Struct, omit_defaults=True):
    """The outcome of one event of an array; in the order sent."""

    status: str
    reason: DropReason | None = None
    errors: Errors | None = None


class _SentBody(Body):
    ip: str | None = None
    user_agent: str | None = None
    timestamp: int | str | None = None


_decoder = msgspec.json.Decoder(_SentBody)
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def is_array(body: bytes) -> bool:
    """Tell whether a body is an array, whatever it holds."""
    return body.lstrip()[:1] == b"["


def read_one(body: bytes | msgspec.Raw, now_ms: int) -> SentEvent:
    """Read an event. Raises EventError."""
    if len(bytes(body)) > http.MAX_BODY:
        raise EventError({"request": [f"an event larger than {http.MAX_BODY} bytes"]})
    raw = decoded(_decoder, body)
    return SentEvent(
        event_of(raw),
        "" if raw.ip is None else _address(raw.ip),
        None if raw.user_agent is None else raw.user_agent.encode("utf-8", "replace"),
        None if raw.timestamp is None else _time(raw.timestamp, now_ms),
    )


def read_array(body: bytes) -> list[msgspec.Raw]:
    """Return the events of an array, each not decoded yet. Raises EventError."""
    events = decoded(_array_decoder, body)
    if len(events) > MAX_EVENTS:
        raise EventError(
            {"request": [f"{len(events)} events; expected at most {MAX_EVENTS} in one array"]}
        )
    return events


def _address(given: str) -> str:
    address = parse(given)
    if address is None:
        # Not shown: it may be an address all the same.
        raise EventError({"ip": ["is no IPv4 or IPv6 address"]})
    return str(address)


def _time(given: int | str, now_ms: int) -> int:
    """Return a time in ms since 1970. Raises EventError."""
    if isinstance(given, str):
        try:
            at = datetime.fromisoformat(given)
            if at.tzinfo is None:
                raise ValueError
            ms = round(at.timestamp() * 1000)
        except (ValueError, OverflowError):
            raise _bad_time(
                "is no time; send ISO 8601 with a time zone, or milliseconds since 1970"
            ) from None
    else:
        ms = given
    if ms < now_ms - OLDEST_MS:
        raise _bad_time("is more than an hour ago: pages of then are imported, see `luot import`")
    if ms > now_ms + AHEAD_MS:
        raise _bad_time("is yet to come")
    return min(ms, now_ms)


def _bad_time(message: str) -> EventError:
    return EventError({"timestamp": [message]})


def headers_of(sent: SentEvent, request: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Return the headers of the reader's request, as far as the server passes them on."""
    if sent.user_agent is None:
        return request
    return {**request, b"user-agent": sent.user_agent}


def answer(results: list[Result]) -> IngestResponse:
    """Return the answer to an array; 503 when some of it has to be sent again."""
    again = any(result.status == "unavailable" for result in results)
    later: tuple[Header, ...] = (http.LATER,) if again else ()
    return http.json(503 if again else 202, {"results": results}, later)
