"""Redis as docker-compose.yml starts it holds the log safely."""

from pathlib import Path

from tests.attack.limits import redis_memory, services
from tests.servers.redis import RedisServer


def test_redis_with_the_options_of_the_compose_file_never_forgets_a_hit(tmp_path: Path) -> None:
    program, *words = services()["redis"]["command"]
    assert (program, words[0]) == ("valkey-server", "/etc/luot/redis.conf")
    pairs = zip(words[1::2], words[2::2], strict=True)
    # The folder of the test is another one, and what accounts may do is in test_accounts.py.
    options = [word for pair in pairs if pair[0] not in ("--dir", "--aclfile") for word in pair]
    server = RedisServer(tmp_path / "redis", None, *options).start()
    try:
        with server.client() as client:
            shown = client.config_get("*")
    finally:
        server.stop()
    assert shown["appendfsync"] == "always"
    assert shown["appendonly"] == "yes"
    assert shown["maxmemory-policy"] == "noeviction"
    assert f"{int(shown['maxmemory']) >> 20}mb" == redis_memory()
    # The services come from other containers.
    assert shown["protected-mode"] == "no"
