"""What a Content-Security-Policy allows (CSP level 3), as far as it matters for a counter."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

_FALLBACKS = {
    "script-src-elem": ("script-src-elem", "script-src", "default-src"),
    "connect-src": ("connect-src", "default-src"),
    "img-src": ("img-src", "default-src"),
}
_PORTS = {"http": 80, "https": 443}


class Policy(NamedTuple):
    """One policy: the sources of each directive, as they are written."""

    directives: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, text: str) -> "Policy":
        """Read a policy; if a directive is repeated, the first one counts."""
        directives: dict[str, list[str]] = {}
        for part in text.split(";"):
            name, *sources = part.split() or [""]
            if name:
                directives.setdefault(name.lower(), sources)
        return cls(directives)

    def refuses(self, directive: str, url: str, page: str, nonce: str = "") -> str:
        """Return the directive that blocks a URL on a page; '' if it is allowed."""
        for name in _FALLBACKS[directive]:
            sources = self.directives.get(name)
            if sources is not None:
                return "" if _allows(sources, url, page, nonce) else name
        return ""


def _allows(sources: Sequence[str], url: str, page: str, nonce: str) -> bool:
    if nonce and f"'nonce-{nonce}'" in sources:
        return True
    if any(source.lower() == "'strict-dynamic'" for source in sources):
        return False
    return any(_matches(source, url, page) for source in sources)


def _matches(source: str, url: str, page: str) -> bool:
    target, own = urlsplit(url), urlsplit(page)
    source = source.lower()
    if source == "'self'":
        source = f"{own.scheme}://{own.netloc}"
    if source.startswith("'"):
        return False
    if source == "*":
        return target.scheme in ("http", "https", own.scheme)
    if source.endswith(":"):
        return _scheme(source[:-1], target.scheme)
    scheme, slashes, rest = source.rpartition("://")
    if not _scheme(scheme if slashes else own.scheme, target.scheme):
        return False
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    if name.startswith("*."):
        if not (target.hostname or "").endswith(name[1:]):
            return False
    elif name not in ("*", target.hostname):
        return False
    usual = _PORTS.get(target.scheme, 0)
    if port not in ("*", str(target.port or usual)) and (port or target.port not in (None, usual)):
        return False
    allowed = slash + path
    if allowed in ("", "/"):
        return True
    return target.path.startswith(allowed) if allowed.endswith("/") else target.path == allowed


def _scheme(allowed: str, scheme: str) -> bool:
    """Return whether a scheme is the one allowed, or its secure variant."""
    return scheme == allowed or (allowed == "http" and scheme == "https")
