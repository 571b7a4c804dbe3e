"""Each service has an account in Redis and ClickHouse, and may do there what its code does.

All other tests of a whole system run with these accounts, so what a service needs, it may. Here is
what each may not, on the real servers.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ErrorCodes, ServerException

from services.log import keys as log_keys
from services.state import keys as state_keys
from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.redis import RedisServer
from tests.servers.system import System

STREAM = log_keys.stream(0)
PRODUCER = log_keys.producer(0, "p")
IMPORT = log_keys.imported(0, "p")
OWNER = log_keys.owner(0, "luot")
COMMITS = log_keys.commits("luot")
SALT = state_keys.salt("mytho", "2026-11-27")
NUMBERS = state_keys.NUMBERS
SESSION = state_keys.session("s")

Command = tuple[str, ...]
HELD: list[Command] = [("PUBLISH", log_keys.HELD, ""), ("WAIT", "0", "1")]
"""What asks whether replicas hold the log."""
APPEND = "return redis.call('XADD', KEYS[1], '*', 'v', '1')"
READ = "return redis.call('XRANGE', KEYS[1], '-', '+')"

MAY: dict[str, list[Command]] = {
    "ingest": [
        *HELD,
        ("EVAL", APPEND, "1", STREAM),
        ("SET", PRODUCER, "1"),
        ("SET", SALT, "s", "NX"),
        ("HGETALL", state_keys.SITES),
        ("EXISTS", log_keys.SHORT),
    ],
    "aggregator": [
        *HELD,
        ("EVAL", READ, "1", STREAM),
        ("XTRIM", STREAM, "MINID", "0"),
        ("SET", log_keys.SHORT, "1"),
        ("EVAL", "return redis.call('HSET', KEYS[1], '0', '1')", "1", COMMITS),
        ("HSET", state_keys.ONLINE, "mytho", "1:1"),
    ],
    "api": [
        *HELD,
        ("EVAL", READ, "1", STREAM),
        ("HGETALL", COMMITS),
        ("HSET", NUMBERS, "mytho views", "1"),
        ("SET", SESSION, "s"),
    ],
    "luot": [*HELD, ("HSET", COMMITS, "0", "1"), ("DEL", OWNER), ("INFO",)],
    "exporter": [("INFO",), ("PING",)],
}
DESTROY: list[Command] = [
    *[("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")],
    *[("SHUTDOWN",), ("ACL", "LIST"), ("KEYS", "*"), ("MONITOR",)],
    ("PUBLISH", "__sentinel__:hello", "127.0.0.1,1"),
    *[("REPLICAOF", "127.0.0.1", "1"), ("CLIENT", "KILL", "TYPE", "normal"), ("SAVE",)],
]
MAY_NOT: dict[str, list[Command]] = {
    # No hit that was accepted is changed or forgotten, and nothing of people is seen.
    "ingest": [
        *[("DEL", STREAM), ("XTRIM", STREAM, "MAXLEN", "0"), ("XDEL", STREAM, "1-1")],
        *[("EXPIRE", STREAM, "1"), ("SET", STREAM, ""), ("RENAME", STREAM, "x")],
        *[("HSET", COMMITS, "0", "1"), ("GET", OWNER), ("SET", OWNER, "me")],
        *[("HSET", state_keys.SITES, "mytho", "{}"), ("DEL", state_keys.SITES)],
        *[("HGETALL", NUMBERS), ("GET", SESSION), ("HSET", state_keys.SEND_TOKENS, "a", "b")],
        *[("HGETALL", state_keys.TOKENS_USED), ("HSET", state_keys.ONLINE, "mytho", "9:9")],
        ("SET", log_keys.SHORT, "1"),
    ],
    # It counts hits and invents none; it sees no salt and no person.
    "aggregator": [
        *[("EVAL", APPEND, "1", STREAM), ("XADD", STREAM, "*", "v", "1"), ("DEL", STREAM)],
        *[("GET", PRODUCER), ("SET", PRODUCER, "1"), ("GET", SALT), ("SET", SALT, "s")],
        *[("HGETALL", NUMBERS), ("HSET", NUMBERS, "a", "1"), ("GET", SESSION)],
        *[("HSET", state_keys.SITES, "mytho", "{}"), ("HGETALL", state_keys.SEND_TOKENS)],
    ],
    # Strangers ask it: it moves no position, forgets no hit, and cannot tell who somebody is.
    "api": [
        *[("XTRIM", STREAM, "MAXLEN", "0"), ("DEL", STREAM), ("EXPIRE", STREAM, "1")],
        *[("SET", STREAM, ""), ("XDEL", STREAM, "1-1"), ("RENAME", STREAM, "x")],
        *[("HSET", COMMITS, "0", "1"), ("DEL", COMMITS), ("SET", OWNER, "me"), ("DEL", OWNER)],
        *[("SET", PRODUCER, "1"), ("GET", SALT), ("SET", SALT, "s"), ("DEL", SALT)],
        *[("HSET", state_keys.ONLINE, "mytho", "9:9"), ("SET", log_keys.IDENTITY, "x")],
    ],
    "luot": [],
    "exporter": [
        *[("GET", SALT), ("GET", SESSION), ("HGETALL", NUMBERS), ("XRANGE", STREAM, "-", "+")],
        *[("SET", "x", "1"), ("SCAN", "0"), ("SLOWLOG", "GET"), ("EVAL", "return 1", "0")],
    ],
    # Nobody: who has no account.
    "": [("GET", SALT), ("SET", "x", "1"), ("INFO",), ("XLEN", STREAM), ("HGETALL", NUMBERS)],
}


@pytest.fixture(scope="module")
def denied(luot: System) -> Iterator[RedisServer]:
    """A Redis with the accounts exactly as they are shipped, nobody's rights included."""
    directory = luot.redis.directory.parent / "shipped"
    options = ("--aclfile", str(luot.accounts.shipped_acl))
    with RedisServer(directory, None, *options) as server:
        yield server


def client_of(server: RedisServer, luot: System, role: str) -> "redis.Redis":
    if not role:
        return redis.Redis(port=server.port)
    return redis.Redis.from_url(
        f"redis://{role}:{luot.accounts.password(role)}@127.0.0.1:{server.port}"
    )


@pytest.mark.parametrize("role", MAY_NOT)
def test_an_account_of_redis_may_do_what_it_must_and_nothing_else(
    denied: RedisServer, luot: System, role: str
) -> None:
    with client_of(denied, luot, role) as client:
        for command in MAY.get(role, []):
            client.execute_command(*command)
        for command in [*MAY_NOT[role], *DESTROY]:
            with pytest.raises(redis.exceptions.ResponseError) as refused:
                client.execute_command(*command)
            assert re.search(r"no permissions|can't (run this|access)", str(refused.value)), command


def test_the_admin_of_redis_changes_its_settings_and_sees_no_key(
    denied: RedisServer, luot: System
) -> None:
    with client_of(denied, luot, "admin") as client:
        for setting, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction")):
            client.config_set(setting, value)
            assert client.config_get(setting) == {setting: value}
        assert client.info("persistence")["aof_enabled"] == 1
        changes = ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        for command in [*MAY_NOT["exporter"], *(one for one in DESTROY if one != changes)]:
            with pytest.raises(redis.exceptions.ResponseError, match=r"no permissions|can't"):
                client.execute_command(*command)


def test_the_runbook_switches_the_file_on_and_a_restart_then_loses_nothing(
    luot: System, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs/runbook.md").read_text("utf-8")
    section = page.partition("\n## RedisNotDurable\n")[2].partition("\n## ")[0]
    [command] = re.findall(r"^printf .* docker compose .*$", section, re.MULTILINE)
    until = dict(re.findall(r"`(aof_\w+):(\w+)`", section))
    accounts = ("--aclfile", str(luot.accounts.shipped_acl))
    server = RedisServer(tmp_path / "redis", None, *accounts, "--appendonly", "no")
    (tmp_path / "admin").write_text(luot.accounts.password("admin"))
    for written, here in (
        ("sudo cat deploy/secrets/passwords/admin", f"cat {tmp_path}/admin"),
        ("docker compose exec -T redis valkey-cli", f"{program('redis-cli')} -p {server.port}"),
    ):
        assert written in command
        command = command.replace(written, here)

    def persistence() -> dict[str, str]:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("OK\nOK\n"), done.stdout
        return dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)

    with server:
        with client_of(server, luot, "api") as client:
            client.set(SESSION, "s")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not until.items() <= persistence().items():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.options = accounts
        server.kill()
        server.start()
        with client_of(server, luot, "api") as client:
            assert client.get(SESSION) == b"s"


def test_a_wrong_password_is_no_account(denied: RedisServer) -> None:
    with (
        redis.Redis(port=denied.port, username="api", password="wrong") as client,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        client.ping()


def test_no_service_asked_for_more_than_it_may(luot: System) -> None:
    """Of everything that tests of this system made them do so far, beginning with a whole round."""
    luot.add_site("quyen")
    for page in range(3):
        assert luot.hit("quyen", f"/{page}").status_code == 202
    luot.counter_when("quyen", 3, metric="views")
    with luot.redis.client() as client:
        log = client.execute_command("ACL", "LOG")
    of_services = ("ingest", "aggregator", "api")
    denials = [
        (entry[b"username"], entry[b"object"], entry[b"context"])
        for entry in (
            one if isinstance(one, dict) else dict(zip(one[::2], one[1::2], strict=True))
            for one in log
        )
    ]
    refused = [one for one in denials if one[0].decode() in of_services]
    # Redis 7.0 does not know the command by which a client tells its name.
    assert [one for one in refused if b"setinfo" not in one[1]] == []


def test_the_exporter_reads_the_figures_of_redis(denied: RedisServer, luot: System) -> None:
    with client_of(denied, luot, "exporter") as client:
        assert client.info("memory")["used_memory"] > 0


def clickhouse(luot: System, user: str, password: str) -> "closing[Client]":
    """Return a client in the database of Luot."""
    client = Client(
        "127.0.0.1", port=luot.clickhouse.port, user=user, password=password, database="luot"
    )
    return closing(Disconnecting(client))


class Disconnecting:
    """A client that closing() can close."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def execute(self, sql: str) -> object:
        return self._client.execute(sql)

    def close(self) -> None:
        self._client.disconnect()


DDL_PROHIBITED = 392
DDL = (
    "CREATE TABLE invented (a UInt8) ENGINE = Memory",
    "DROP TABLE counters",
    "ALTER TABLE hits DROP PARTITION 202611",
    "TRUNCATE TABLE hits",
    "RENAME TABLE counters TO others",
)
ELSEWHERE = ("SELECT * FROM other.secrets", "INSERT INTO other.secrets VALUES (1)")


@pytest.fixture(scope="module")
def other_database(luot: System) -> None:
    program("clickhouse-server")
    with closing(Disconnecting(Client("127.0.0.1", port=luot.clickhouse.port))) as client:
        client.execute("CREATE DATABASE other")
        client.execute("CREATE TABLE other.secrets (a UInt8) ENGINE = Memory")


@pytest.mark.usefixtures("other_database")
@pytest.mark.parametrize("role", ["api", "aggregator", "luot"])
def test_an_account_of_clickhouse_sees_one_database(luot: System, role: str) -> None:
    user = "luot" if role == "luot" else f"luot_{role}"
    with clickhouse(luot, user, luot.accounts.password(role)) as client:
        client.execute("SELECT count() FROM counters")
        for sql in (*ELSEWHERE, "DROP DATABASE other", "CREATE DATABASE another"):
            with pytest.raises(ServerException) as refused:
                client.execute(sql)
            allowed = (ErrorCodes.DATABASE_ACCESS_DENIED, DDL_PROHIBITED)
            assert refused.value.code in allowed, sql


def test_the_api_changes_no_table(luot: System) -> None:
    with clickhouse(luot, "luot_api", luot.accounts.password("api")) as client:
        for sql in DDL:
            with pytest.raises(ServerException) as refused:
                client.execute(sql)
            assert "DDL queries are prohibited" in refused.value.message, sql
        client.execute("SELECT count() FROM counters")


def test_there_is_no_account_for_ingest_and_none_with_a_wrong_password(luot: System) -> None:
    for user, password in (
        ("ingest", luot.accounts.password("ingest")),
        ("luot_ingest", luot.accounts.password("ingest")),
        ("luot_api", "wrong"),
        ("luot", luot.accounts.password("api")),
    ):
        with clickhouse(luot, user, password) as client, pytest.raises(Error):
            client.execute("SELECT 1")
