"""Whatever Redis and ClickHouse refuse, no line of any process has a secret or a reader in it."""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
from clickhouse_driver import Client

from tests.patience import rounds
from tests.servers.services import Service
from tests.servers.system import TOKEN, System

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "a-password-of-this-test-only"
NUMBERS = itertools.count()
AGENT = "Mozilla/5.0 (X11; NobodyElseHasThis) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"

SERVICES = ("ingest", "aggregator", "api")
"""They have accounts of their own in Redis, which may write to their keys by selectors."""

Change = Callable[[Any], Any]


def acl(redis: Any, *rules: str) -> None:
    for account in SERVICES:
        redis.execute_command("ACL", "SETUSER", account, "clearselectors", *rules)
    kill(redis)


def kill(redis: Any) -> None:
    """End the connections of the services, so that they have to sign in again."""
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


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
        lambda redis: acl(redis, "~*", "+@read"),
        lambda redis: redis.execute_command("ACL", "LOAD"),
    ),
    "refusing all": (
        lambda redis: acl(redis, "-@all"),
        lambda redis: redis.execute_command("ACL", "LOAD"),
    ),
    "asking for another password": (
        lambda redis: acl(redis, "resetpass", ">hush-hush-password"),
        lambda redis: redis.execute_command("ACL", "LOAD"),
    ),
}


@pytest.fixture(scope="module")
def secrets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Secrets"]:
    """A system for each form of lines, and its secrets: they stay secret from test to test."""
    folder = tmp_path_factory.mktemp("system")
    settings = {"LUOT_LOG_FORMAT": request.param, "LUOT_LOG_LEVEL": "debug"}
    system = System(folder, LUOT_SALTS=str(folder / "salts"), **settings)
    try:
        yield Secrets(system.start())
    finally:
        system.stop()


class Secrets:
    """Everything that must not be read in a log, gathered while it is made."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.texts = {AGENT, "NobodyElseHasThis", PASSWORD, TOKEN, "hush-hush"}
        self.reader = ""
        self.bytes: set[bytes] = set()
        user = {"name": "lan", "password": PASSWORD, "role": "viewer", "sites": ["*"]}
        answer = self._ask("POST", system.api.url + "/api/admin/users", json=user)
        assert answer is not None
        assert answer.status_code == 201, answer.text
        self.sender = self.make("send")

    def begin(self) -> str:
        """Let a reader come who never came before; return a site that has no hit yet."""
        number = next(NUMBERS)
        self.reader = f"203.0.113.{100 + number}"
        self.texts.add(self.reader)
        before, during = f"before-{number}", f"during-{number}"
        for slug in (before, during):
            self.system.add_site(slug)
        self.act(before)
        self.gather()
        assert len(self.bytes) >= 2, "a day's salt and that of sign-ins"
        return during

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
        headers = {"X-Forwarded-For": self.reader, "User-Agent": AGENT}
        for number in range(3):
            headers["X-Request-Id"] = self.reader if number else AGENT
            self._ask("POST", f"{ingest}/e", json=page, headers=headers)
            event = {**page, "ip": self.reader, "user_agent": f"{AGENT} {number}"}
            bearer = {"Authorization": f"Bearer {self.sender}"}
            self._ask("POST", f"{ingest}/e", json=[event], headers=bearer)
        for body in (
            {"name": "lan", "password": PASSWORD},
            {"name": self.reader, "password": "wrong"},
        ):
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


OUTAGES = {
    "api": "publish(ed)? the sites|sites are published to Redis",
    "ingest": "the log can(not)? be written|Redis can(not)? be asked",
    "aggregator": "cannot run: ",
}


def told(service: Service) -> list[str]:
    """Return what a process said of outages and of their ends."""
    return [text for text in messages(service) if re.search(OUTAGES[service.name], text)]


def until(what: Callable[[], bool], why: str) -> None:
    for _ in rounds(0.1):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError(why)


def ended(service: Service) -> bool:
    """Tell whether a process has said of each outage that it is over."""
    lines = told(service)
    return 2 * sum(bool(re.search(r"again, after [0-9]", text)) for text in lines) >= len(lines)


@pytest.mark.parametrize(
    ("secrets", "how"),
    [("text" if how in ("full", "read-only") else "json", how) for how in REDIS],
    indirect=["secrets"],
    scope="module",
)
def test_what_redis_refuses_is_logged_without_a_secret(secrets: Secrets, how: str) -> None:
    system = secrets.system
    during = secrets.begin()
    before = len(told(system.ingest))
    refuse, mend = REDIS[how]
    with system.redis.client() as redis:
        refuse(redis)
        try:
            # The day of this site is new: its salt is sent, and refused.
            secrets.act(during)
            until(lambda: len(told(system.ingest)) > before, "ingest does not complain")
            secrets.act(during)
        finally:
            mend(redis)
    for service in (system.ingest, system.api, system.aggregator):
        service.wait_until_ready()
    secrets.act(during)
    secrets.gather()
    assert secrets.found() == []
    for service in (system.api, system.ingest):
        until(partial(ended, service), f"{service.name} tells of an outage and of no end")


@pytest.mark.parametrize("secrets", ["json"], indirect=True)
def test_what_clickhouse_refuses_is_logged_without_a_secret(secrets: Secrets) -> None:
    system = secrets.system
    during = secrets.begin()
    before = len(told(system.aggregator))
    with Client("127.0.0.1", port=system.clickhouse.port, database="luot") as client:
        tables = ("counters", "users", "tokens", "audit", "hits")
        for table in tables:
            client.execute(f"RENAME TABLE {table} TO {table}_away")
        try:
            secrets.act(during)
            # It ends, as a table that is not there does not come by waiting.
            until(lambda: len(told(system.aggregator)) > before, "the aggregator does not complain")
            secrets.act(during)
        finally:
            for table in tables:
                client.execute(f"RENAME TABLE {table}_away TO {table}")
    system.aggregator.stop()
    system.aggregator.start()
    secrets.gather()
    assert secrets.found() == []
