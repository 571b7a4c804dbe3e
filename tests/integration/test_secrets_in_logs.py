"""Whatever Redis and ClickHouse refuse, no line of any process has a secret or a reader in it."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_driver import Client

from tests.patience import PATIENCE_SECONDS
from tests.servers.services import Service
from tests.servers.system import TOKEN, System, wait_until_known

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "a-password-of-this-test-only"
READER = "203.0.113.77"
AGENT = "Mozilla/5.0 (X11; NobodyElseHasThis) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"
WRITES = ("set", "hset", "incr", "evalsha", "eval", "expire", "sadd", "del", "hdel", "hincrby")

Change = Callable[[Any], Any]


def acl(redis: Any, *rules: str) -> None:
    redis.execute_command("ACL", "SETUSER", "default", *rules)


REDIS: dict[str, tuple[Change, Change]] = {
    "full": (
        lambda redis: redis.config_set("maxmemory", 1),
        lambda redis: redis.config_set("maxmemory", 0),
    ),
    "read-only": (
        lambda redis: redis.replicaof("127.0.0.1", 1),
        lambda redis: redis.replicaof("NO", "ONE"),
    ),
    "refusing writes": (
        lambda redis: acl(redis, *(f"-{name}" for name in WRITES)),
        lambda redis: acl(redis, "+@all"),
    ),
    "refusing all": (
        lambda redis: acl(redis, "-@all", "+acl", "+client", "+hello"),
        lambda redis: acl(redis, "+@all"),
    ),
    "asking for a password": (
        lambda redis: redis.config_set("requirepass", "hush-hush-password"),
        lambda redis: redis.config_set("requirepass", ""),
    ),
}


@pytest.fixture
def system(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[System]:
    # Both forms of lines have to keep secrets; one system after another takes its time.
    form = "text" if "full" in request.node.name or "read-only" in request.node.name else "json"
    settings = {"LUOT_LOG_FORMAT": form, "LUOT_LOG_LEVEL": "debug"}
    system = System(tmp_path, LUOT_SALTS=str(tmp_path / "salts"), **settings)
    try:
        yield system.start()
    finally:
        system.stop()


class Secrets:
    """Everything that must not be read in a log, gathered while it is made."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.texts = {READER, AGENT, "NobodyElseHasThis", PASSWORD, TOKEN, "hush-hush"}
        self.bytes: set[bytes] = set()
        self.sender = self.make("send")

    def make(self, role: str) -> str:
        """Return a new token, or one that nobody knows while none can be made."""
        body = {"role": role, "sites": ["*"]}
        made = self._ask("POST", self.system.api.url + "/api/admin/tokens", json=body)
        if made is None or made.status_code != 201:
            return "luot_invented_by_this_test"
        token: str = made.json()["token"]
        self.texts.add(token)
        return token

    def act(self, site: str) -> None:
        """Do all that sends a secret, or something of a reader, to a store."""
        api, ingest = self.system.api.url, self.system.ingest.url
        viewer = self.make("viewer")
        page = {"n": "pageview", "d": site, "u": f"https://{site}.example/a"}
        headers = {"X-Forwarded-For": READER, "User-Agent": AGENT}
        for number in range(3):
            headers["X-Request-Id"] = READER if number else AGENT
            self._ask("POST", f"{ingest}/e", json=page, headers=headers)
            event = {**page, "ip": READER, "user_agent": f"{AGENT} {number}"}
            bearer = {"Authorization": f"Bearer {self.sender}"}
            self._ask("POST", f"{ingest}/e", json=[event], headers=bearer)
        for body in ({"name": "lan", "password": PASSWORD}, {"name": READER, "password": "wrong"}):
            answer = self._ask("POST", f"{api}/api/admin/sign-in", json=body, headers=headers)
            if answer is not None:
                self.texts |= {value for value in answer.cookies.values() if len(value) > 8}
                self.whoami(answer.cookies)
        for token in (viewer, self.sender, TOKEN):
            bearer = {"Authorization": f"Bearer {token}"}
            self._ask("GET", f"{api}/api/admin/sites", headers=bearer)
        for path in (
            f"/api/counter/{site}",
            f"/api/counter/{site}?path=/a",
            f"/admin/sites/{site}",
        ):
            self._ask("GET", api + path)

    def whoami(self, cookies: httpx.Cookies) -> None:
        jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
        self._ask("GET", self.system.api.url + "/api/admin/whoami", headers={"Cookie": jar})

    def _ask(self, method: str, url: str, **given: Any) -> httpx.Response | None:
        admin = ADMIN if url.startswith(self.system.api.url) else {}
        headers = {**admin, **given.pop("headers", {})}
        with suppress(httpx.TransportError):
            return httpx.request(method, url, headers=headers, timeout=60, **given)
        return None

    def gather(self) -> None:
        """Take in what only the stores know."""
        with self.system.redis.client() as redis:
            for key in redis.scan_iter("*"):
                if key.startswith((b"salt:", b"sign-in:salt")):
                    self.bytes.add(redis.get(key) or b"")
                if key.startswith((b"session:", b"sign-in:")):
                    self.texts.add(key.decode().rpartition(":")[2])
            self.texts |= {digest.decode() for digest in redis.hgetall("tokens:send") if digest}
        self.texts.discard("salt")
        with Client("127.0.0.1", port=self.system.clickhouse.port, database="luot") as client:
            for (body,) in client.execute("SELECT body FROM tokens"):
                self.texts |= set(re.findall(r"[0-9a-f]{64}", body))
            for (body,) in client.execute("SELECT body FROM users"):
                self.texts |= set(re.findall(r"\$argon2[^\"]+", body))

    def found(self) -> list[tuple[str, str]]:
        """Return each line of a process that has one of them, and which."""
        salts = {salt for salt in self.bytes if salt}
        forms = {form for salt in salts for form in (salt, salt.hex().encode(), _shown(salt))}
        forms |= {text.encode() for text in self.texts}
        system = self.system
        return [
            (f"{service.name}: {line.decode(errors='replace')}", repr(form))
            for service in (system.ingest, system.aggregator, system.api)
            for line in service.log.read_bytes().splitlines()
            for form in forms
            if form in line
        ]


def _shown(salt: bytes) -> bytes:
    return repr(salt)[2:-1].encode()


def lines(system: System) -> int:
    services = (system.ingest, system.aggregator, system.api)
    return sum(len(service.log.read_bytes().splitlines()) for service in services)


def messages(service: Service) -> list[str]:
    """Return what a process logged; in JSON, every line of it is."""
    # The last line may be half written.
    lines = service.log.read_text(errors="replace").rpartition("\n")[0].splitlines()
    if not lines[0].startswith("{"):
        return [line for line in lines if not line.startswith("  ")]
    read = [json.loads(line) for line in lines]
    assert all({"time", "level", "service", "logger"} <= line.keys() for line in read)
    assert {line["service"] for line in read} == {service.name}
    return [line["message"] for line in read]


def begin(system: System) -> Secrets:
    user = {"name": "lan", "password": PASSWORD, "role": "viewer", "sites": ["*"]}
    answer = httpx.post(f"{system.api.url}/api/admin/users", json=user, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    for slug in ("before", "during"):
        system.add_site(slug)
    secrets = Secrets(system)
    secrets.act("before")
    return secrets


@pytest.mark.parametrize("how", REDIS)
def test_what_redis_refuses_is_logged_without_a_secret(system: System, how: str) -> None:
    secrets = begin(system)
    secrets.gather()
    assert len(secrets.bytes) >= 2, "a day's salt and that of sign-ins"
    before = lines(system)
    refuse, mend = REDIS[how]
    with system.redis.client() as redis:
        redis.ping()
        refuse(redis)
        if how not in ("full", "read-only"):
            kill(redis)
        # The day of this site is new: its salt is sent, and refused.
        secrets.act("during")
        time.sleep(3)
        secrets.act("during")
        assert lines(system) > before, "nobody complains"
        mend(redis)
    for service in (system.ingest, system.api, system.aggregator):
        service.wait_until_ready()
    wait_until_known(system.ingest.url, "during")
    secrets.act("during")
    secrets.gather()
    assert secrets.found() == []
    for service, outage in (
        (system.api, "publish(ed)? the sites|sites are published to Redis"),
        (system.ingest, "the log can(not)? be written|Redis can(not)? be asked"),
    ):
        until_it_ended(service, outage)


def until_it_ended(service: Service, outage: str) -> None:
    """Wait until a process has said of each outage that it is over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        told = [text for text in messages(service) if re.search(outage, text)]
        ends = [text for text in told if re.search(r"again, after [0-9]", text)]
        if len(ends) * 2 >= len(told):
            return
        assert time.monotonic() < deadline, f"an outage that nobody saw end: {told}"
        time.sleep(0.1)


def kill(redis: Any) -> None:
    """End the connections of the services, so that they have to sign in again."""
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_what_clickhouse_refuses_is_logged_without_a_secret(system: System) -> None:
    secrets = begin(system)
    secrets.gather()
    before = lines(system)
    with Client("127.0.0.1", port=system.clickhouse.port, database="luot") as client:
        tables = ("counters", "users", "tokens", "audit", "hits")
        for table in tables:
            client.execute(f"RENAME TABLE {table} TO {table}_away")
        secrets.act("during")
        time.sleep(3)
        secrets.act("during")
        assert lines(system) > before, "nobody complains"
        for table in tables:
            client.execute(f"RENAME TABLE {table}_away TO {table}")
    secrets.gather()
    assert secrets.found() == []
