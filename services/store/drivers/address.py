"""The address of a ClickHouse server, from a URL."""

import re
from urllib.parse import SplitResult, parse_qsl, unquote

import msgspec
from clickhouse_driver.compression import get_compressor_cls

from services.model.host_list import host_port, hosts_of, split_url
from services.store.cluster.shards import Shards
from services.store.drivers.client import ColumnClient

CONNECT_SECONDS = 5
PING_SECONDS = 5.0
"""How long the ping before each call may take."""
ANSWER_SECONDS = 60.0
"""How long a server may be silent; it reports progress ten times a second while it reads."""
DEFAULT_DATABASE = "luot"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Server address and credentials; no text that this class makes contains the password."""

    hosts: tuple[tuple[str, int], ...]
    user: str = "default"
    password: str = ""
    database: str = DEFAULT_DATABASE
    secure: bool = False
    verify: bool = True
    answer_seconds: float = ANSWER_SECONDS
    cluster: str = ""
    """The servers' name for the cluster; empty if there is none."""

    @property
    def shards(self) -> Shards | None:
        """How tables are created on the cluster; None if there is none."""
        return Shards(self.cluster, self.database) if self.cluster else None

    def __repr__(self) -> str:
        """Return the address without the password."""
        return f"{self.user}@{self}"

    def __str__(self) -> str:
        """Return hosts and database."""
        return f"{','.join(host_port(*host) for host in self.hosts)}/{self.database}"

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read clickhouse://user:password@host:9000,host2:9000/database.

        `clickhouses://` is the same over TLS (port 9440), with `?verify=0` for a self-signed
        certificate. `?cluster=name` says that the hosts belong to a cluster, which may have more.
        Raises ValueError; its message never contains the password.
        """
        parts, netloc = split_url(url)
        secure = parts.scheme == "clickhouses"
        user, _, password = netloc.rpartition("@")[0].partition(":")
        database = parts.path.strip("/") or DEFAULT_DATABASE
        verify, cluster = _options(parts)
        if not _IDENTIFIER.fullmatch(database):
            raise ValueError(
                f"{database!r} is not the name of a database; expected letters, digits and _"
            )
        return cls(
            hosts=hosts_of(netloc, 9440 if secure else 9000),
            user=unquote(user) or "default",
            password=unquote(password),
            database=database,
            secure=secure,
            verify=verify,
            cluster=cluster,
        )

    def client(self, database: str) -> ColumnClient:
        """Return a client, not yet connected, that tries the hosts in turn."""
        (host, port), *others = self.hosts
        return ColumnClient(
            host,
            port=port,
            alt_hosts=",".join(host_port(*other) for other in others) or None,
            user=self.user,
            password=self.password,
            database=database,
            secure=self.secure,
            verify=self.verify,
            client_name="luot",
            compression=_compression(),
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=self.answer_seconds,
            sync_request_timeout=min(PING_SECONDS, self.answer_seconds),
            tcp_keepalive=True,
        )


def _compression() -> str | bool:
    try:
        get_compressor_cls("lz4")
    except (ImportError, RuntimeError):
        return False
    return "lz4"


def _options(parts: SplitResult) -> tuple[bool, str]:
    """Return whether certificates are verified, and the name of the cluster or ''."""
    options = parse_qsl(parts.query, keep_blank_values=True)
    known = dict(options)
    verify = known.pop("verify", "1")
    cluster = known.pop("cluster", None)
    if known or verify not in {"0", "1"} or len(options) > len(dict(options)):
        raise ValueError(
            f"?{parts.query} is not understood; expected ?verify=0, ?cluster=name or nothing"
        )
    if cluster is not None and not _IDENTIFIER.fullmatch(cluster):
        raise ValueError(
            f"?cluster={cluster} is not the name of a cluster; expected the one that the servers"
            " have in remote_servers, of letters, digits and _"
        )
    return verify == "1", cluster or ""
