"""The address of a Redis that is looked up by name from Sentinels."""

from typing import Self
from urllib.parse import unquote

import msgspec

from services.model.host_list import host_port, hosts_of, split_url

PORT = 26379
"""Where a Sentinel listens unless the URL says otherwise."""
_SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
_OWN = ("sentinel_username", "sentinel_password")
_EXAMPLE = "redis+sentinel://user:password@host:26379,host:26379,host:26379/name/0"


def is_sentinel_url(url: str) -> bool:
    """Tell whether a URL names Sentinels."""
    return url.partition("://")[0] in _SCHEMES


class SentinelAddress(msgspec.Struct, frozen=True):
    """Where the Sentinels are, and under which name they know the Redis.

    hosts     the Sentinels, to ask in any order
    name      of the servers, a master and its replicas, at the Sentinels
    server    the URL of a server without its host: it has user, password, database and options
    username  and password of the Sentinels themselves; None if they require none
    """

    hosts: tuple[tuple[str, int], ...]
    name: str
    server: str
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `redis+sentinel://…`, or `rediss+sentinel://…` for TLS to Sentinels and servers.

        Raises ValueError, whose message does not contain the URL, which may have a password.
        """
        if not is_sentinel_url(url):
            raise ValueError(f"no URL of Sentinels; expected {_EXAMPLE}")
        parts, netloc = split_url(url)
        user, at, hosts = netloc.rpartition("@")
        name, _, database = parts.path.removeprefix("/").partition("/")
        if not name:
            raise ValueError(f"the URL of Sentinels has no name of a Redis; expected {_EXAMPLE}")
        if not (database or "0").isdecimal():
            raise ValueError(f"the database {database!r} is no number; expected {_EXAMPLE}")
        # Not parse_qs: options that are not ours are left to the client.
        options = [part.partition("=") for part in parts.query.split("&") if part]
        own = {key: unquote(value) for key, _, value in options if key in _OWN}
        others = "&".join("".join(option) for option in options if option[0] not in _OWN)
        return cls(
            hosts=hosts_of(hosts, PORT),
            name=unquote(name),
            server=f"{_SCHEMES[parts.scheme]}://{user}{at}sentinel/{database or 0}?{others}",
            username=own.get(_OWN[0]),
            password=own.get(_OWN[1]),
        )

    def __str__(self) -> str:
        return f"{self.name!r} at " + ", ".join(host_port(*host) for host in self.hosts)
