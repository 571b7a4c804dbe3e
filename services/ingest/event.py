"""What a browser sends: the Plausible event, as JSON or as the query of an image."""

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urljoin

import msgspec

from services.runtime.json_errors import NOT_JSON

T = TypeVar("T")

PAGEVIEW = "pageview"
DOWNLOAD = "File Download"
OUTBOUND = "Outbound Link: Click"
NOT_FOUND = "404"
"""The names that other trackers have for them, too."""
_CLICKS = (DOWNLOAD, OUTBOUND)
_LINK = "url"
"""The property of a click that says where the link leads."""
MAX_FIELDS = 50
_RANDOM = 1 << 53
"""Math.random() is a multiple of 2^-53 at the finest."""
_ORIGIN = re.compile(r"https?://[^/?#]*/?", re.IGNORECASE)

Errors = dict[str, list[str]]


class EventError(ValueError):
    """Not a valid event; `errors` says what is wrong, field by field."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(str(errors))
        self.errors = errors


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as it came. `domain` may be a slug, a host, or several with commas.

    `url` may be a path, when `domain` says which site it is on. `referrer` is '' when there was no
    previous page, and None when none was sent. `origin_only` means that the URL comes from the
    Referer header alone, and is only the origin of a page. `view_id` is a random number of the
    view, 0 for none. `before` is the previous URL when an application changed only the query
    string; '' for any other view. `link` is the URL that a click leads to.
    """

    name: str
    url: str
    domain: str = ""
    referrer: str | None = None
    origin_only: bool = False
    view_id: int = 0
    before: str = ""
    link: str = ""


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
    k: Any = None
    q: str | None = None
    p: Any = None
    props: Any = None


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
    except NOT_JSON as error:
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
    return Event(
        name,
        url,
        raw.d or raw.domain or "",
        _either(raw.r, raw.referrer),
        view_id=_view_id(raw.k),
        before=raw.q or "",
        link=_link(raw.p or raw.props) if name in _CLICKS else "",
    )


def from_query(query: bytes, referer: str) -> Event:
    """Read an event from the query of an image; the page defaults to the header Referer.

    A page given as a path is resolved against that header, if there is one. Then anything that is
    neither a URL nor a path, such as an unrendered template placeholder, is ignored.

    Raises EventError.
    """
    try:
        fields = dict(
            reversed(
                parse_qsl(
                    query.decode(errors="replace"),
                    keep_blank_values=True,
                    max_num_fields=MAX_FIELDS,
                )
            )
        )
    except ValueError:
        raise EventError({"request": [f"more than {MAX_FIELDS} fields in the query"]}) from None
    given = fields.get("u") or fields.get("url") or ""
    if referer and not given.startswith(("/", "http:", "https:")):
        given = ""
    url = _resolved(given, referer) if given.startswith("/") and referer else given or referer
    if not url:
        raise EventError({"url": ["is required: send the page's URL as u, or a Referer"]})
    name = fields.get("n") or fields.get("name") or PAGEVIEW
    return Event(
        name,
        url,
        fields.get("d") or fields.get("domain") or "",
        _either(fields.get("r"), fields.get("referrer")),
        origin_only=not given and _ORIGIN.fullmatch(referer) is not None,
        view_id=_view_id(fields.get("k")),
        before=fields.get("q", ""),
        link=_link(fields.get("p")) if name in _CLICKS else "",
    )


def _resolved(path: str, referer: str) -> str:
    """Return the URL of a page given by its path. Raises EventError."""
    try:
        return urljoin(referer, path)
    except ValueError:
        raise EventError({"url": ["is not the http or https URL of a page"]}) from None


def _link(properties: Any) -> str:
    """Return the URL in the properties of a click: an object, one as JSON, or the URL itself."""
    if isinstance(properties, str):
        try:
            properties = msgspec.json.decode(properties)
        except NOT_JSON:
            return str(properties)
    url = properties.get(_LINK) if isinstance(properties, dict) else None
    return url if isinstance(url, str) else ""


def _view_id(value: Any) -> int:
    """Return the script's Math.random() number as an integer; 0 for anything else."""
    if value is None:
        return 0
    try:
        drawn = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(drawn * _RANDOM) if 0 < drawn < 1 else 0


def _either(short: str | None, long: str | None) -> str | None:
    return short if short or long is None else long
