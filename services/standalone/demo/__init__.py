"""The demo under /demo: small portals that embed the counter, each in its own way."""

from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.model.site import DEFAULT_TIMEZONE
from services.standalone.demo import gallery, render
from services.standalone.demo.portals import INDEX

SITE = INDEX.site
ROOT = INDEX.home
STATIC = f"{ROOT}/static"

# The page's icon is an empty data: URL.
GALLERY_POLICY = INDEX.policy.replace("img-src 'self'", "img-src 'self' data:")

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
}


class Document(NamedTuple):
    """The response for one path; `policy` is its Content-Security-Policy."""

    body: bytes
    media_type: str
    etag: str
    max_age: int
    policy: str


def document(path: str, origin: str = "", now: datetime | None = None) -> Document | None:
    """Return the page or asset at a path, None if there is none.

    origin  scheme, host and port at which the reader reached Luot
    now     the time whose date, in the portals' time zone, the pages show
    """
    folded = path.rstrip("/")
    if folded in render.pages():
        local = (now or datetime.now(UTC)).astimezone(ZoneInfo(DEFAULT_TIMEZONE))
        return _rendered(folded, local.date(), origin)
    if folded == gallery.PATH:
        return _document(gallery.html().encode(), "page.html", 0, GALLERY_POLICY)
    return assets().get(path)


def paths(site: str = SITE) -> list[str]:
    """Return a site's page paths, most popular first; for an unknown site, those of `demo`."""
    of_site = [path for path, page in render.pages().items() if page.portal.site == site]
    return of_site or paths()


@lru_cache(maxsize=1)
def assets() -> dict[str, Document]:
    """Return style sheets and images by path."""
    return {
        f"{STATIC}/{file.name}": _document(file.read_bytes(), file.name, 3600, INDEX.policy)
        for file in render.folder("static")
    }


@lru_cache(maxsize=64)
def _rendered(path: str, today: date, origin: str) -> Document:
    page = render.pages()[path]
    return _document(render.html(page, today, origin).encode(), "page.html", 0, page.portal.policy)


def _document(body: bytes, name: str, max_age: int, policy: str) -> Document:
    etag = f'"{blake2b(body, digest_size=9).hexdigest()}"'
    return Document(body, MEDIA_TYPES[name.rpartition(".")[2]], etag, max_age, policy)
