"""One request of an access log, whatever its format, and how its texts are decoded.

Regular expressions here and in the formats can match a line in one way only: strangers choose half
of its text, and 40 bytes of it can keep an expression that tries many ways busy for years.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec

NO_REQUEST = "-"
"""The method of a line without a valid request: an empty connection, or TLS on a plain port."""

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MINUTE = re.compile(rb"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):([+-]\d\d)([0-5]\d)")
_SECONDS = {b"%02d" % second: second * 1000 for second in range(60)}
_LOCAL_LENGTH = len("31/Dec/2025:23:59:59 +0700")
_KEPT_MINUTES = 4096
_UNIX = re.compile(r"\d{9,11}(?:\.\d{1,9})?")
# Apache and nginx write bytes that are not printable ASCII as \xHH; others leave them.
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """One request of an access log.

    method        NO_REQUEST if the line has none
    target        path and query as the browser sent them
    referrer      '' if there was none, like `user_agent`
    address       IP address, or host name if the server looked names up
    at            milliseconds since 1970, UTC
    host          the requested host as logged; None if the format has none
    agent_logged  whether the format has a User-Agent; without it, bots cannot be recognised
    """

    method: str
    target: str
    status: int
    referrer: str
    user_agent: str
    address: str
    at: int
    host: str | None = None
    agent_logged: bool = True


def text_of(raw: bytes | None) -> str:
    """Return a field of a text format, decoded; '' for a missing one."""
    if raw is None or raw == b"-":
        return ""
    if b"\\" in raw:
        raw = _ESCAPE.sub(_unescape, raw)
    return raw.decode("utf-8", "replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    coded, letter = match.groups()
    return bytes.fromhex(coded.decode()) if coded else _CONTROLS.get(letter, letter)


def request_of(text: str) -> tuple[str, str]:
    """Return method and target of a request line; NO_REQUEST and '' if it is invalid."""
    parts = text.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/") or not parts[0]:
        return NO_REQUEST, ""
    return parts[0], parts[1]


_minutes: dict[bytes, int | None] = {}


def local_ms(text: bytes) -> int | None:
    """Return a time such as 31/Dec/2025:23:59:59 +0700 in ms since 1970, or None."""
    if len(text) != _LOCAL_LENGTH:
        return None
    # Lines of one minute follow each other, so that each minute is parsed once.
    minute = text[:18] + text[21:]
    at = _minutes.get(minute, -1)
    if at == -1:
        if len(_minutes) >= _KEPT_MINUTES:
            _minutes.clear()
        at = _minutes[minute] = _minute_ms(minute)
    second = _SECONDS.get(text[18:20])
    if at is None or second is None or text[20:21] != b" ":
        return None
    return at + second


def _minute_ms(text: bytes) -> int | None:
    match = _MINUTE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute = (int(match[group]) for group in (1, 3, 4, 5))
    try:
        local = datetime(year, _MONTHS.index(match[2]) + 1, day, hour, minute, tzinfo=UTC)
        offset = timedelta(hours=int(match[6][1:]), minutes=int(match[7]))
        utc = local + offset if match[6].startswith(b"-") else local - offset
        return int(utc.timestamp()) * 1000
    except (ValueError, OverflowError):
        return None


def instant_ms(value: object) -> int | None:
    """Return a time from a JSON log in ms since 1970, or None.

    It may be seconds since 1970 as a number or text, a number of ms (12 to 14 digits) or ns (more),
    ISO 8601 with an offset, or the local time of Apache and nginx.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _unix_ms(value)
    if not isinstance(value, str):
        return None
    if _UNIX.fullmatch(value):
        return round(float(value) * 1000)
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return local_ms(value.encode())
    try:
        return None if at.tzinfo is None else int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _unix_ms(value: float) -> int | None:
    for limit, factor in ((1e11, 1e3), (1e14, 1.0), (1e20, 1e-6)):
        if 0 <= value < limit:
            return int(value * factor)
    return None
