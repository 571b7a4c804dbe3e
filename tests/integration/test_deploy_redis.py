"""Redis as docker-compose.yml starts it holds the log safely."""

import re
from pathlib import Path

from tests.servers.redis import RedisServer

COMPOSE = (Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8")


def test_redis_with_the_options_of_the_compose_file_never_forgets_a_hit(tmp_path: Path) -> None:
    command = re.search(r"command:\n      - valkey-server\n((?:      .*\n)+?)    \w", COMPOSE)
    assert command
    words = [word.strip('"') for word in re.findall(r"- (\S+)$", command[1], re.MULTILINE)]
    options = [word for word in words if word not in ("/etc/luot/redis.conf", "--dir", "/data")]
    server = RedisServer(tmp_path / "redis", None, *options).start()
    try:
        with server.client() as client:
            shown = client.config_get("*")
    finally:
        server.stop()
    assert shown["appendfsync"] == "always"
    assert shown["appendonly"] == "yes"
    assert shown["maxmemory-policy"] == "noeviction"
    assert shown["maxmemory"] == str(256 << 20)
    # The services come from other containers, without a password.
    assert shown["protected-mode"] == "no"
