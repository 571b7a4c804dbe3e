"""An erased site leaves nothing behind, whatever is killed, and its name begins at zero."""

import random
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
from clickhouse_driver import Client

from services.store.counts import erasures
from tests.patience import PATIENCE_SECONDS
from tests.servers.system import TOKEN, System, wait_until_known
from tests.servers.up import LUOT, environ

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
FINAL = {"ReplacingMergeTree": "FINAL", "AggregatingMergeTree": "FINAL"}


def admin(luot: System, method: str, path: str, body: object = None) -> Any:
    answer = httpx.request(
        method, f"{luot.api.url}/api/admin{path}", json=body, headers=ADMIN, timeout=60
    )
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def command(luot: System, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*LUOT, *words],
        env=environ(LUOT_URL=luot.api.url, LUOT_TOKEN=TOKEN),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def rows_of(luot: System, *names: str) -> dict[str, int]:
    """Return the tables that hold anything of names, and how many rows that nothing replaced."""
    sites = [kept_as for name in names for kept_as in (name, f"{name}#downloads")]
    client = Client("127.0.0.1", port=luot.clickhouse.port, database="luot")
    try:
        engines = dict(
            client.execute("SELECT name, engine FROM system.tables WHERE database = 'luot'")
        )
        # In one statement: tests ask ten times a second. A merge must change no count.
        asked = (
            f"SELECT '{table}', count() FROM {table} {FINAL.get(engines[table], '')}"
            " WHERE site IN %(sites)s"
            for table in erasures.TABLES
        )
        counts = dict(client.execute(" UNION ALL ".join(asked), {"sites": tuple(sites)}))
    finally:
        client.disconnect()
    return {table: count for table, count in counts.items() if count}


def keys_of(luot: System, name: str) -> list[bytes]:
    """Return what Redis keeps of a site for good, but for the log, and who was online."""
    with luot.redis.client() as redis:
        found = [key for key in redis.keys("*") if name.encode() in key]
        keys = [key for key in found if redis.ttl(key) < 0]
        fields = [field for field in redis.hkeys("numbers") if name.encode() in field]
        return [*keys, *fields]


def filled(luot: System, slug: str) -> None:
    """Make a site with views, downloads, a ledger and members."""
    luot.add_site(slug, public_top=True)
    for number in range(3):
        assert luot.hit(slug, f"/tin/{number}").status_code == 202
    event: dict[str, object] = {"n": "File Download", "d": slug, "u": f"https://{slug}.example/"}
    file = f"https://{slug}.example/van-ban.pdf"
    event |= {"p": {"url": file}}
    sent = httpx.post(f"{luot.ingest.url}/api/event", json=event, headers={"User-Agent": "x"})
    assert sent.status_code == 202
    balance = {"id": "old", "grain": "total", "views": 100, "visits": 9, "reason": "the old one"}
    admin(luot, "POST", f"/sites/{slug}/balances", {"entries": [balance]})
    member = {"name": f"user-{slug}", "password": "bảy con cò trắng", "role": "viewer"}
    admin(luot, "POST", "/users", {**member, "sites": [slug]})
    admin(luot, "POST", "/tokens", {"role": "viewer", "sites": [slug], "note": slug})
    luot.counter_when(slug, total=103, metric="views")
    # The download may come a flush later than the views.
    until(
        lambda: downloads(luot, slug, "/van-ban.pdf") == 1,
        f"the download of {slug} is not counted",
    )


def downloads(luot: System, slug: str, file: str) -> int:
    return int(luot.counter(slug, download=file)["downloads"][file]["downloads"])


def erase(luot: System, slug: str) -> None:
    """Erase a site, and wait until it is gone."""
    until(
        lambda: bool(admin(luot, "POST", f"/sites/{slug}/erase", {"confirm": slug})["done"]),
        f"{slug} is not erased",
    )


def has_begun(luot: System, slug: str) -> bool:
    entries = admin(luot, "GET", f"/audit?site={slug}")["entries"]
    return any(one["action"] == "site.erase" for one in entries)


def nothing_is_left(luot: System, slug: str) -> bool:
    return rows_of(luot, slug) == {} and keys_of(luot, slug) == []


def total(luot: System, slug: str) -> int:
    return int(luot.counter(slug, metric="views")["total"])


def test_nothing_of_an_erased_site_is_left(luot: System) -> None:
    slug = "xoa-het"
    filled(luot, slug)
    filled(luot, "o-lai")
    before = rows_of(luot, "o-lai")
    asked = command(luot, "site", "remove", "--erase", slug)
    assert (asked.returncode, "give --yes" in asked.stderr) == (2, True), asked.stderr
    assert "3 views" in asked.stderr
    assert "1 opening balances" in asked.stderr
    assert total(luot, slug) == 103
    done = command(luot, "site", "remove", "--erase", "--yes", slug)
    assert (done.returncode, done.stdout.strip()) == (0, f"erased {slug}"), done.stderr
    assert rows_of(luot, slug) == {}
    until(lambda: keys_of(luot, slug) == [], "Redis keeps some of it")
    assert httpx.get(f"{luot.api.url}/api/counter/{slug}").status_code == 404
    assert rows_of(luot, "o-lai") == before
    users = {one["name"]: one["sites"] for one in admin(luot, "GET", "/users")["users"]}
    assert (users[f"user-{slug}"], users["user-o-lai"]) == ([], ["o-lai"])
    notes = {one["note"] for one in admin(luot, "GET", "/tokens")["tokens"]}
    assert (slug in notes, "o-lai" in notes) == (False, True)
    (entry,) = (
        one
        for one in admin(luot, "GET", f"/audit?site={slug}")["entries"]
        if one["action"] == "site.erase"
    )
    assert entry["before"]["views"] == 3
    # Again it changes nothing, and says so.
    assert command(luot, "site", "remove", "--erase", "--yes", slug).returncode == 0
    assert command(luot, "site", "remove", "--erase", "--yes", "never").returncode == 2
    assert command(luot, "site", "restore", slug).returncode == 2


def test_a_slug_that_comes_back_begins_at_zero_while_old_hits_are_in_the_log(luot: System) -> None:
    slug = "tro-lai"
    luot.add_site(slug)
    assert luot.hit(slug, "/tin/1").status_code == 202
    luot.counter_when(slug, total=1, metric="views")
    luot.aggregator.kill()
    for _ in range(5):
        assert luot.hit(slug, "/tin/1").status_code == 202
    answer = admin(luot, "POST", f"/sites/{slug}/erase", {"confirm": slug})
    assert answer["done"] is False
    luot.add_site(slug)
    assert total(luot, slug) == 0
    for _ in range(2):
        assert luot.hit(slug, "/tin/1").status_code == 202
    luot.aggregator.start()
    luot.counter_when(slug, total=2, metric="views")
    page = luot.counter(slug, metric="views", path="/tin/1")
    assert page["paths"]["/tin/1"]["views"] == 2
    # What was in the log of the old one is counted under its own name, and goes as well.
    until(lambda: rows_of(luot, slug) == {}, "hits that came late are still there")
    assert total(luot, slug) == 2


def test_a_removed_site_comes_back_as_it_was_and_a_new_one_begins_at_zero(luot: System) -> None:
    slug = "bo-tam"
    luot.add_site(slug, name="Bỏ tạm")
    assert luot.hit(slug, "/").status_code == 202
    luot.counter_when(slug, total=1, metric="views")
    assert command(luot, "site", "remove", "--yes", slug).returncode == 0
    assert httpx.get(f"{luot.api.url}/api/counter/{slug}").status_code == 404
    restored = command(luot, "site", "restore", slug)
    assert (restored.returncode, "Bỏ tạm" in restored.stdout) == (0, True), restored.stderr
    assert total(luot, slug) == 1
    assert command(luot, "site", "remove", "--yes", slug).returncode == 0
    added = command(luot, "site", "add", slug, "--host", f"{slug}.example")
    assert "starts at zero" in added.stdout, added.stderr
    assert total(luot, slug) == 0
    wait_until_known(luot.ingest.url, slug)
    assert luot.hit(slug, "/").status_code == 202
    luot.counter_when(slug, total=1, metric="views")
    assert rows_of(luot, slug)["counters"] > 0
    # Both lives of the name go.
    erase(luot, slug)
    assert rows_of(luot, slug) == {}
    until(lambda: keys_of(luot, slug) == [], "Redis keeps some of it")


def test_erasing_may_be_killed_anywhere_and_repeated(luot: System) -> None:
    chance = random.Random(16)
    for number, victim in enumerate(("api", "aggregator", "both", "command")):
        slug = f"giet-{number}"
        filled(luot, slug)
        erasing = subprocess.Popen(
            [*LUOT, "site", "remove", "--erase", "--yes", slug],
            env=environ(LUOT_URL=luot.api.url, LUOT_TOKEN=TOKEN),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(partial(has_begun, luot, slug), "it does not begin")
        time.sleep(chance.uniform(0, 0.3))
        if victim == "command":
            erasing.kill()
        if victim in ("aggregator", "both"):
            luot.aggregator.kill()
        if victim in ("api", "both"):
            luot.api.kill()
            luot.api.start()
        if victim in ("aggregator", "both"):
            luot.aggregator.start()
        # Whatever was killed, it goes on by itself, and the command waits for that.
        erasing.wait(timeout=300)
        until(partial(nothing_is_left, luot, slug), f"{slug} is still there")
        done = command(luot, "site", "remove", "--erase", "--yes", slug)
        assert done.returncode == 0, done.stderr
        until(partial(nothing_is_left, luot, slug), "Redis keeps some of it")
        users = {one["name"]: one["sites"] for one in admin(luot, "GET", "/users")["users"]}
        assert users[f"user-{slug}"] == []
        luot.add_site(slug)
        assert total(luot, slug) == 0
