"""The URL of a Redis Cluster."""

import pytest
from redis.asyncio.connection import SSLConnection

from services.model.cluster_address import ClusterAddress, is_cluster_url
from services.redis_client.client import connect
from services.redis_client.routing import RoutedRedis
from services.settings import Settings, SettingsError


def test_an_address_has_hosts_and_what_each_node_needs() -> None:
    url = "rediss+cluster://ingest:p%40ss@one:1,[::1]:2,three?ssl_ca_certs=/etc/ca.pem"
    address = ClusterAddress.parse(url)
    assert address.hosts == (("one", 1), ("::1", 2), ("three", 6379))
    options = "ssl_ca_certs=/etc/ca.pem"
    assert address.node("one", 1) == f"rediss://ingest:p%40ss@one:1/0?{options}"
    assert address.node("::1", 2) == f"rediss://ingest:p%40ss@[::1]:2/0?{options}"
    assert str(address) == "one:1, [::1]:2, three:6379"
    assert ClusterAddress.parse("redis+cluster://one/0").node("one", 1) == "redis://one:1/0?"
    assert is_cluster_url(url)
    assert not is_cluster_url("redis://one/0")


async def test_a_client_signs_in_to_every_node() -> None:
    url = "rediss+cluster://ingest:p%40ss@one:1,two:2"
    redis = connect(url, socket_timeout=3.0)
    assert isinstance(redis, RoutedRedis)
    pool = redis.connection_pool
    given = pool.connection_kwargs
    assert (given["username"], given["password"]) == ("ingest", "p@ss")
    assert given["socket_timeout"] == 3.0
    assert issubclass(pool.connection_class, SSLConnection)
    await redis.aclose()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+cluster://u:secret@one:1/5", "has database 0 only, not '5'"),
        ("redis+cluster://u:secret@one:port", "'one:port' is not a host"),
        ("redis+cluster://u:secret@one:1,,two:1", "'' is not a host"),
    ],
)
@pytest.mark.parametrize("name", ["LUOT_REDIS_URL", "LUOT_LOG_URL"])
def test_an_address_that_cannot_be_used_stops_the_start(name: str, url: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read({name: url})
    assert str(refused.value).startswith(f"{name}: ")
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)
