"""Connections to the Redis that Sentinels currently name as the master."""

from typing import Any

from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from services.model.sentinel_address import SentinelAddress

_SENTINEL_SECONDS = 0.5
"""How long a Sentinel may take to answer; then the next one is asked."""


class _AskingFirst:
    """Asks the Sentinels whenever it connects.

    redis-py 8.1 asks only in `connect`; a command on a lost connection reconnects to the same
    server, master or not.
    """

    async def send_packed_command(self: Any, *args: Any, **kwargs: Any) -> None:
        if not self.is_connected:
            await self.connect()
        await super().send_packed_command(*args, **kwargs)  # type: ignore[misc]


class _MasterConnection(_AskingFirst, SentinelManagedConnection):
    """Without TLS."""


class _SecureMasterConnection(_AskingFirst, SentinelManagedSSLConnection):
    """With TLS."""


class _MasterPool(SentinelConnectionPool):
    """Asks the Sentinels before each new connection, and closes those to them with its own."""

    def __init__(self, address: SentinelAddress, sentinels: Sentinel, **options: Any) -> None:
        super().__init__(address.name, sentinels, **options)  # type: ignore[no-untyped-call]
        self._address = address

    async def get_master_address(self) -> Any:
        try:
            return await super().get_master_address()  # type: ignore[no-untyped-call]
        except MasterNotFoundError:
            raise RedisConnectionError(f"no Sentinel knows a master of {self._address}") from None

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def master_pool(url: str, **options: Any) -> SentinelConnectionPool:
    """Return connections to the master; `options` are those of Redis.from_url.

    Raises ValueError if the URL does not name Sentinels.
    """
    address = SentinelAddress.parse(url)
    server: dict[str, Any] = dict(parse_url(address.server))
    server.pop("host")
    tls = server.pop("connection_class", None) is not None
    secured = {key: value for key, value in server.items() if key.startswith("ssl_")}
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts,
        sentinel_kwargs={
            **secured,
            "ssl": tls,
            "username": address.username,
            "password": address.password,
            "socket_timeout": _SENTINEL_SECONDS,
            "socket_connect_timeout": _SENTINEL_SECONDS,
            "protocol": 2,
            # The next one is asked at once.
            "retry": Retry(NoBackoff(), 0),
        },
    )
    kind = _SecureMasterConnection if tls else _MasterConnection
    return _MasterPool(address, sentinels, connection_class=kind, **{**options, **server})
