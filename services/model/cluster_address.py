"""The address of a Redis Cluster."""

from typing import Self

import msgspec

from services.model.host_list import host_port, hosts_of, split_url

PORT = 6379
"""Where a node listens unless the URL says otherwise."""
_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
_EXAMPLE = "redis+cluster://user:password@host:6379,host:6379,host:6379"


def is_cluster_url(url: str) -> bool:
    """Tell whether a URL names nodes of a Redis Cluster."""
    return url.partition("://")[0] in _SCHEMES


class ClusterAddress(msgspec.Struct, frozen=True):
    """Where some nodes of a cluster are, and how to reach each of its nodes.

    hosts    nodes to ask for all others, in any order
    scheme   of the URL of a single node: redis or rediss
    account  `user:password@`, or nothing
    options  query string of the URL of a node, as given
    """

    hosts: tuple[tuple[str, int], ...]
    scheme: str
    account: str
    options: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `redis+cluster://…`, or `rediss+cluster://…` for TLS to every node.

        Raises ValueError, whose message does not contain the URL, which may have a password.
        """
        if not is_cluster_url(url):
            raise ValueError(f"no URL of a Redis Cluster; expected {_EXAMPLE}")
        parts, netloc = split_url(url)
        account, at, hosts = netloc.rpartition("@")
        if parts.path not in ("", "/", "/0"):
            raise ValueError(
                f"a Redis Cluster has database 0 only, not {parts.path[1:]!r}; expected {_EXAMPLE}"
            )
        return cls(
            hosts=hosts_of(hosts, PORT),
            scheme=_SCHEMES[parts.scheme],
            account=f"{account}{at}",
            options=parts.query,
        )

    def node(self, host: str, port: int) -> str:
        """Return the URL of a node."""
        return f"{self.scheme}://{self.account}{host_port(host, port)}/0?{self.options}"

    def __str__(self) -> str:
        return ", ".join(host_port(*host) for host in self.hosts)
