"""Which lines of an access log are page views; the only place of this rule.

Bots are not decided here: ingest tells them by their User-Agent.
"""

from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit

from services.access_log.line import LogLine

_FILES = """
# images
apng avif bmp gif heic ico jpeg jpg png psd svg svgz tif tiff webp
# scripts, styles, source maps, fonts
css eot js less map mjs otf scss ttf wasm woff woff2
# feeds and data
atom csv json jsonld rdf rss txt webmanifest xml yaml yml
# archives and packages
7z apk bin bz2 deb dmg exe gz iso jar msi rar rpm tar tgz xz zip zst
# sound and video
aac avi flac flv m3u8 m4a m4v mkv mov mp3 mp4 mpeg mpg oga ogg ogv swf ts wav webm wmv
# documents
doc docx epub odp ods odt pdf ppt pptx ps rtf xls xlsx
"""

NOT_PAGES = frozenset(
    name for line in _FILES.splitlines() if not line.startswith("#") for name in line.split()
)
"""Extensions, in lower case, of files that are not pages, robots.txt and favicon.ico included."""

FEED_NAMES = frozenset({"atom", "feed", "rss"})
"""A path that ends in one of these is a feed (`/feed/`, `/tin-tuc/rss`)."""

FEED_PARAMETERS = frozenset({"feed", "flav", "format", "type"})
_FEED_VALUES = ("atom", "rdf", "rss")


class NotAPage(StrEnum):
    """Why a line is not a page view."""

    METHOD = "another method than GET"
    STATUS = "another status than 2xx or 304"
    URL = "unreadable address"
    FILE = "image, script, style, document or other file"
    FEED = "feed"


def is_page(line: LogLine) -> bool:
    """Tell whether a line is a page view: GET, 2xx or 304, and not a file."""
    return not_a_page(line) is None


def not_a_page(line: LogLine) -> NotAPage | None:
    """Return why a line is not a page view; None when it is one."""
    if line.method != "GET":
        return NotAPage.METHOD
    if not (200 <= line.status < 300 or line.status == 304):
        return NotAPage.STATUS
    # A path may begin with two slashes; urlsplit would take what follows for a host.
    target = f"/.{line.target}" if line.target.startswith("//") else line.target
    try:
        url = urlsplit(target)
    except ValueError:
        return NotAPage.URL
    name = url.path.rstrip("/").rpartition("/")[2].lower()
    _, dot, extension = name.rpartition(".")
    if dot and extension in NOT_PAGES:
        return NotAPage.FILE
    if name in FEED_NAMES or any(
        key in FEED_PARAMETERS and value.lower().startswith(_FEED_VALUES)
        for key, value in parse_qsl(url.query, errors="replace")
    ):
        return NotAPage.FEED
    return None


def path_of(target: str) -> str:
    """Return the path of a request target, which is a whole URL when a proxy was asked."""
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2]
