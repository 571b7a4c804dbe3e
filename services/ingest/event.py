"""What a browser sends: the Plausible event, as JSON or as the query of an image."""

from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

T = TypeVar("T")

PAGEVIEW = "pageview"
MAX_FIELDS = 50

Errors = dict[str, list[str]]


class EventError(ValueError):
    """Something that is not an event; `errors` says what is wrong, field by field."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(str(errors))
        self.errors = errors


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as it came. `domain` may be a slug, a host, or several with commas."""

    name: str
    url: str
    domain: str = ""
    referrer: str = ""


class Body(msgspec.Struct, gc=False):
    """Short and long names of the same fields; everything else in the body is ignored."""

    n: str | None = None
    name: str | None = None
    u: str | None = None
    url: str | None = None
    d: str | None = None
    domain: str | None = None
    r: str | None = None
    referrer: str | None = None


_decoder = msgspec.json.Decoder(Body)


def from_body(body: bytes) -> Event:
    """Read an event from a request's body. Raises EventError."""
    return event_of(decoded(_decoder, body))


def decoded(decoder: "msgspec.json.Decoder[T]", body: bytes | msgspec.Raw) -> T:
    """Read JSON. Raises EventError."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        raise EventError({where.rstrip("`") or "request": [message]}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError({"request": [f"the body is not a JSON object: {error}"]}) from None


def event_of(raw: Body) -> Event:
    """Return the event of a body. Raises EventError."""
    name = raw.n or raw.name
    url = raw.u or raw.url
    if not name or not url:
        errors: Errors = {}
        if not name:
            errors["name"] = ["is required: send 'pageview' as name or n"]
        if not url:
            errors["url"] = ["is required: send the page's URL as url or u"]
        raise EventError(errors)
    return Event(name, url, raw.d or raw.domain or "", raw.r or raw.referrer or "")


def from_query(query: bytes, referer: str) -> Event:
    """Read an event from the query of an image; the page defaults to the header Referer.

    Raises EventError.
    """
    try:
        fields = dict(
            reversed(parse_qsl(query.decode(errors="replace"), max_num_fields=MAX_FIELDS))
        )
    except ValueError:
        raise EventError({"request": [f"more than {MAX_FIELDS} fields in the query"]}) from None
    url = fields.get("u") or fields.get("url") or referer
    if not url:
        raise EventError({"url": ["is required: send the page's URL as u, or a Referer"]})
    return Event(
        fields.get("n") or fields.get("name") or PAGEVIEW,
        url,
        fields.get("d") or fields.get("domain") or "",
        fields.get("r") or fields.get("referrer") or "",
    )
