"""Whose page sent a request, according to the browser's `Origin` or `Referer`."""

import re
from collections.abc import Mapping
from sys import getsizeof

from services.enrich.urls import MAX_CACHED, referring_host
from services.model.bounded_cache import BoundedCache

_CACHE_BYTES = 1 << 20

# Both serve a page under a label made from its host: a-b.example becomes a--b-example. So that
# label says whose page it is (https://amp.dev/documentation/guides-and-tutorials/learn/
# amp-caches-and-cors/amp-cache-urls).
_SERVED = re.compile(r"([a-z0-9-]+)\.(?:translate\.goog|cdn\.ampproject\.org)")
_DASHES = re.compile(r"--?")


def sender_host(headers: Mapping[bytes, bytes]) -> str:
    """Return the host of the page that sent a request, without `www.`; '' if none is named.

    `Origin` takes precedence. It is `null` when a page hides its location (`Referrer-Policy:
    no-referrer` or `same-origin`, a sandbox, a file), which does not say whose page it is; then
    `Referer` may. For a page served by Google Translate or an AMP cache, it is the host of the
    page's owner.
    """
    sent = headers.get(b"origin", b"null")
    if sent == b"null":
        sent = headers.get(b"referer", b"")
        if not sent:
            return ""
    host = _known.young(sent)
    if host is None:
        host = _known.get(sent)
    if host is None:
        host = _host_of(sent)
        if len(sent) <= MAX_CACHED:
            _known.put(sent, host)
    return host


def _host_of(sent: bytes) -> str:
    if not sent.startswith((b"http:", b"https:")):
        return ""
    host = referring_host(sent.decode("latin-1"))
    served = _SERVED.fullmatch(host)
    if served is None:
        return host
    return _DASHES.sub(lambda found: "-" if len(found[0]) > 1 else ".", served[1])


_known: BoundedCache[bytes, str] = BoundedCache(
    _CACHE_BYTES, lambda sent, host: getsizeof(sent) + getsizeof(host)
)
