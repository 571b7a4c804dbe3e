"""Normalises the address of a page, so that each page has one path.

Normalising is idempotent.
"""

import re
import unicodedata
from collections.abc import Sequence
from sys import getsizeof
from urllib.parse import unquote, unquote_plus

from services.model.bounded_cache import BoundedCache

MAX_BYTES = 512
_MAX_CACHED = 1024
"""Longest input that is remembered, in characters: longer ones would push out many others."""
_CACHE_BYTES = 4 << 20

_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Decoded, these would change where the path ends or what is an escape, so they stay encoded.
_RESERVED_ESCAPES = re.compile(r"(%(?:2[Ff35]|3[Ff]))")
_RESERVED_IN_QUERY = re.compile(r"[%&#+]")
# Liferay and other Java portals write the session into the path of a browser without cookies.
_SESSION = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)
# DNN calls its index page Default.aspx.
_INDEX = re.compile(r"index\.[a-z0-9]{1,5}|default\.aspx?", re.IGNORECASE)
# Control characters, line and paragraph separators, text direction marks, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


_Key = tuple[str, str, Sequence[str], bool]


def normalise(
    path: str, query: str = "", significant: Sequence[str] = (), *, fold_case: bool = False
) -> str:
    """Return the path under which a page is counted, at most 512 bytes of UTF-8.

    path         path of the page's URL, percent-encoded or not; a fragment is dropped
    query        its query string without the question mark
    significant  names of the parameters that identify a page, in the order of the result;
                 case-insensitive. A tuple.
    fold_case    write the path in lower case; values of parameters stay as they are
    """
    if not significant:
        query = ""
    key = (path, query, significant, fold_case)
    known = _known.young(key) or _known.get(key)
    if known is None:
        known = _normalise(path, query, significant, fold_case)
        if len(path) + len(query) <= _MAX_CACHED:
            _known.put(key, known)
    return known


def is_route(fragment: str) -> bool:
    """Tell whether a fragment is a route of an application: `/tin/1`, `!/tin/1`."""
    return fragment.startswith(("/", "!/"))


def with_route(path: str, query: str = "") -> tuple[str, str]:
    """Return path and query of a page whose route is in its fragment: `/#/tin/1` is `/tin/1`.

    The fragment stands at the end of either. Any other page is returned as it is.
    """
    address, _, fragment = (f"{path}?{query}" if query else path).partition("#")
    if not is_route(fragment):
        return path, query
    path, _, query = address.partition("?")
    route, _, inner = fragment.removeprefix("!").partition("?")
    return normalise(path).rstrip("/") + route, "&".join(filter(None, (inner, query)))


def _normalise(path: str, query: str, significant: Sequence[str], fold_case: bool) -> str:
    pure = _path(path.partition("#")[0], fold_case)
    parameters = _parameters(query.partition("#")[0], significant) if query and significant else ""
    whole = f"{pure}?{parameters}" if parameters else pure
    return whole if len(whole) * 4 <= MAX_BYTES else _cut(whole, significant, fold_case)


def _bytes(key: _Key, known: str) -> int:
    path, query, *_ = key
    return getsizeof(key) + getsizeof(path) + getsizeof(query) + getsizeof(known)


_known: BoundedCache[_Key, str] = BoundedCache(_CACHE_BYTES, _bytes)


def clean(text: str) -> str:
    """Return text without invisible characters, composed (NFC)."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", _UNSEEN.sub("", text))


def _path(path: str, fold_case: bool) -> str:
    path = _SESSION.sub("", _decode(path, fold_case))
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    while segments and _INDEX.fullmatch(segments[-1]):
        del segments[-1]
    return "/" + "/".join(segments)


def _decode(text: str, fold_case: bool) -> str:
    text = text.replace("?", "%3F")
    if "%" not in text:
        return clean(text.lower() if fold_case else text)
    parts = _RESERVED_ESCAPES.split(_BARE_PERCENT.sub("%25", text))
    parts[::2] = map(unquote, parts[::2])
    parts[::2] = [clean(part.lower() if fold_case else part) for part in parts[::2]]
    parts[1::2] = [part.upper() for part in parts[1::2]]
    return "".join(parts)


def _parameters(query: str, significant: Sequence[str]) -> str:
    names = {name.lower(): name for name in significant}
    values: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        known = names.get(unquote_plus(name).lower())
        if known is not None and value and known not in values:
            text = clean(unquote_plus(value))
            values[known] = _RESERVED_IN_QUERY.sub(lambda char: f"%{ord(char[0]):02X}", text)
    return "&".join(f"{name}={values[name]}" for name in significant if values.get(name))


def _cut(whole: str, significant: Sequence[str], fold_case: bool) -> str:
    octets = whole.encode()
    if len(octets) <= MAX_BYTES:
        return whole
    text = octets[:MAX_BYTES].decode(errors="ignore")
    escape = text.rfind("%", -2)
    text = text if escape < 0 else text[:escape]
    path, _, query = text.partition("?")
    return normalise(path, query, tuple(significant), fold_case=fold_case)
