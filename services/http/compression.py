"""Compressed answers (RFC 9110, section 12.5.3): gzip, for clients that accept it.

Only for answers that are the same for everybody. If one held a secret next to text that an attacker
can choose, its length would leak the secret.
"""

import gzip
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from services.http import etag

MIN_BYTES = 1024
"""A shorter body fits into the first packet uncompressed."""

VARIES = {"Vary": "Accept-Encoding"}
GZIP = {"Content-Encoding": "gzip"}

_LEVEL = 6
_REFUSED = ("q=0", "q=0.0", "q=0.00", "q=0.000")


def accepts_gzip(accepted: str) -> bool:
    """Tell whether a client that sends this Accept-Encoding accepts gzip."""
    codings = {}
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        codings[name.strip()] = weight.replace(" ", "") not in _REFUSED
    return codings.get("gzip", codings.get("*", False))


def compressed(content: bytes, level: int = _LEVEL) -> bytes:
    """Return content as gzip, reproducibly."""
    return gzip.compress(content, compresslevel=level, mtime=0)


def respond(
    request: Request, body: bytes, tag: str, headers: Mapping[str, str], media_type: str
) -> Response:
    """Return the body, compressed if that is worth it, or 304 when the client has it cached.

    The tag is weak: it names the body in either form.
    """
    if len(body) < MIN_BYTES:
        return etag.respond(request, body, tag, headers, media_type)
    headers = {**headers, **VARIES}
    if etag.matches(request.headers.get("if-none-match"), tag):
        return etag.unchanged(tag, headers)
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        return etag.answer(compressed(body), tag, {**headers, **GZIP}, media_type)
    return etag.answer(body, tag, headers, media_type)
