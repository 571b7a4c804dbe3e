"""Downloads: files that pages link to. They are counted separately (kept_apart.py)."""

import re

from services.model.kept_apart import Apart, kind_of, name_of

NO_ENDINGS = "none"
"""Stands for an empty list of endings: a site with it counts no downloads."""

_DOCUMENTS = """
csv doc docm docx dot dotx epub kml kmz odg odp ods odt pdf pot potx pps ppsx ppt pptx ps rtf xls
xlsb xlsm xlsx
7z gz rar tar tgz zip
dwg dgn shp
"""
ENDINGS = frozenset(_DOCUMENTS.split())
"""The endings of documents; this is the only list of them. Their types are described at
https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/MIME_types/Common_types."""

ENDING = re.compile(r"[a-z0-9]{1,10}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def downloads_of(site: str) -> str:
    """Return the name under which the downloads of a site are kept."""
    return name_of(site, Apart.DOWNLOADS)


def are_downloads(name: str) -> bool:
    """Tell whether a name is one that downloads are kept under."""
    return kind_of(name) is Apart.DOWNLOADS


def ending_of(path: str) -> str:
    """Return the ending of the file that a path names, in lower case; '' if it has none.

    Liferay appends a UUID to the name of a file, and Java servers a session id.
    """
    folder, _, name = path.lower().rstrip("/").rpartition("/")
    if _UUID.fullmatch(name):
        name = folder.rpartition("/")[2]
    return name.partition(";")[0].rpartition(".")[2] if "." in name else ""
