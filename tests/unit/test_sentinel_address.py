"""The URL of a Redis that Sentinels know."""

import pytest
from redis.asyncio.connection import SSLConnection

from services.model.sentinel_address import SentinelAddress, is_sentinel_url
from services.redis_client.client import connect
from services.settings import Settings, SettingsError


def test_an_address_has_hosts_a_name_and_what_a_server_needs() -> None:
    url = (
        "rediss+sentinel://ingest:p%40ss@one:1,[::1]:2,three/luot/5"
        "?sentinel_password=a%26b&ssl_ca_certs=/etc/ca.pem"
    )
    address = SentinelAddress.parse(url)
    assert address.hosts == (("one", 1), ("::1", 2), ("three", 26379))
    assert address.name == "luot"
    assert (address.username, address.password) == (None, "a&b")
    assert address.server == "rediss://ingest:p%40ss@sentinel/5?ssl_ca_certs=/etc/ca.pem"
    assert str(address) == "'luot' at one:1, [::1]:2, three:26379"
    assert SentinelAddress.parse("redis+sentinel://one/luot").server == "redis://sentinel/0?"
    assert not is_sentinel_url("redis://one/0")


async def test_a_client_signs_in_to_servers_and_sentinels_apart() -> None:
    url = "rediss+sentinel://ingest:p%40ss@one:1/luot/5?sentinel_password=other"
    async with connect(url, socket_timeout=3.0) as redis:
        pool = redis.connection_pool
        given = pool.connection_kwargs
        assert (given["username"], given["password"], given["db"]) == ("ingest", "p@ss", 5)
        assert given["socket_timeout"] == 3.0
        [sentinel] = pool.sentinel_manager.sentinels  # type: ignore[attr-defined]
        assert sentinel.connection_pool.connection_kwargs["password"] == "other"
        assert sentinel.connection_pool.connection_kwargs["username"] is None
        assert issubclass(pool.connection_class, SSLConnection)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+sentinel://u:secret@one:1", "has no name of a Redis"),
        ("redis+sentinel://u:secret@one:1/luot/first", "database 'first' is no number"),
        ("redis+sentinel://u:secret@one:port/luot", "'one:port' is not a host"),
        ("redis+sentinel://u:secret@one:1,,two:1/luot", "'' is not a host"),
    ],
)
@pytest.mark.parametrize("name", ["LUOT_REDIS_URL", "LUOT_LOG_URL"])
def test_an_address_that_cannot_be_used_stops_the_start(name: str, url: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read({name: url})
    assert str(refused.value).startswith(f"{name}: ")
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("number", ["-1", "11", "all"])
def test_a_number_of_replicas_that_nobody_has_is_refused(number: str) -> None:
    with pytest.raises(SettingsError, match=f"LUOT_REDIS_REPLICAS='{number}'"):
        Settings.read({"LUOT_REDIS_REPLICAS": number})
