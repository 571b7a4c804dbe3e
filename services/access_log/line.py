"""One line of an access log, in the common or the combined format of Apache and nginx.

Read with one expression that has one way to match: strangers choose half of a line's text, and an
expression that tries many ways can be kept busy for years by 40 bytes of it.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec

_QUOTED = rb'"((?:[^"\\]++|\\.)*+)"'
_ENTRY = re.compile(
    rb"(\S++) \S++ (?>.*? \[)([^\]]{1,40})\] "
    + _QUOTED
    + rb" (\d{3}) (?:\d++|-)(?: "
    + _QUOTED
    + b" "
    + _QUOTED
    + b")?",
    re.DOTALL,
)
_TIME = re.compile(
    rb"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d)([0-5]\d)", re.DOTALL
)
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# Apache writes bytes that are not printable ASCII as \xHH, nginx too; others leave them.
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """One request of an access log.

    target      path and query as the browser sent them
    referrer    '' when there was none, like `user_agent`
    address     IP address, or host name where the server looked names up
    at          milliseconds since 1970, UTC
    """

    method: str
    target: str
    status: int
    referrer: str
    user_agent: str
    address: str
    at: int


def parse(raw: bytes) -> LogLine | None:
    """Return the request of a line, or None when the line is not in either format."""
    match = _ENTRY.fullmatch(raw)
    if match is None:
        return None
    address, time, request, status, referrer, user_agent = match.groups()
    at = _milliseconds(time)
    parts = _text(request).split(" ")
    if at is None or len(parts) != 3 or not parts[2].startswith("HTTP/"):
        return None
    return LogLine(
        method=parts[0],
        target=parts[1],
        status=int(status),
        referrer=_text(referrer),
        user_agent=_text(user_agent),
        address=_text(address),
        at=at,
    )


def _text(raw: bytes | None) -> str:
    if raw is None or raw == b"-":
        return ""
    return _ESCAPE.sub(_unescape, raw).decode("utf-8", "replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    coded, letter = match.groups()
    return bytes.fromhex(coded.decode()) if coded else _CONTROLS.get(letter, letter)


def _milliseconds(text: bytes) -> int | None:
    match = _TIME.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    try:
        local = datetime(year, _MONTHS.index(match[2]) + 1, day, hour, minute, second, tzinfo=UTC)
        offset = timedelta(hours=int(match[7][1:]), minutes=int(match[8]))
        utc = local + offset if match[7].startswith(b"-") else local - offset
        return int(utc.timestamp()) * 1000
    except (ValueError, OverflowError):
        return None
