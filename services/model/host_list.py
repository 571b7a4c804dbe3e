"""Several hosts in place of one in URLs of stores and logs: `host:1,[::1]:2`."""

import re
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")


def split_url(url: str) -> tuple[SplitResult, str]:
    """Return the parts of a URL, and its netloc, which may name several hosts.

    Some versions of Python's urlsplit refuse brackets after a comma, so it never sees them; the
    netloc of the parts is meaningless. Raises ValueError.
    """
    scheme, _, rest = url.partition("://")
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return urlsplit(f"{scheme}://host{rest.removeprefix(netloc)}"), netloc


def hosts_of(netloc: str, default_port: int) -> tuple[tuple[str, int], ...]:
    """Return host and port of each host in a netloc, ignoring its account.

    IPv6 addresses are without brackets. Raises ValueError, whose message has no account.
    """
    hosts = []
    for host in netloc.rpartition("@")[2].split(","):
        match = _HOST.fullmatch(host)
        port = int(match["port"] or default_port) if match else 0
        if match is None or not 0 < port < 1 << 16:
            raise ValueError(f"{host!r} is not a host; expected host or host:port")
        hosts.append((match["name"].strip("[]"), port))
    return tuple(hosts)


def host_port(host: str, port: int) -> str:
    """Return a host and its port as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
