"""A server sends hits of its readers, with a token that vouches for who they were and when."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.http import MAX_BODY
from services.ingest.sent import MAX_EVENTS
from tests.noon import wait_for_room_in_the_hour
from tests.servers.system import BROWSER, TOKEN, System

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
READERS = 25
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
SECONDS = 120


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("system"), LUOT_TRUSTED_PROXIES="192.0.2.1")
    try:
        yield system.start()
    finally:
        system.stop()


@pytest.fixture
def luot_small(tmp_path: Path) -> Iterator[System]:
    """Return a system that takes 20 hits an hour of an address."""
    system = System(
        tmp_path, LUOT_ADDRESS_HITS="20", LUOT_ADDRESS_BOTS="5", LUOT_TRUSTED_PROXIES="192.0.2.1"
    )
    try:
        yield system.start()
    finally:
        system.stop()


def token(system: System, *sites: str, **fields: Any) -> tuple[str, str]:
    """Make a token that may send hits; return its id and itself, when ingest knows it."""
    body = {"role": "send", "sites": list(sites), **fields}
    made = httpx.post(f"{system.api.url}/api/admin/tokens", json=body, headers=ADMIN)
    assert made.status_code == 201, made.text
    name, secret = made.json()["id"], made.json()["token"]
    answers_when(system, secret, 400)
    return name, secret


def answers_when(system: System, secret: str, status: int) -> None:
    """Return as soon as ingest takes a token for good, or for bad; within seconds."""
    deadline = time.monotonic() + SECONDS
    while send(system, secret, {}).status_code != status:
        assert time.monotonic() < deadline, "ingest does not hear of the token"
        time.sleep(0.1)


def send(system: System, secret: str, body: object, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{system.ingest.url}/e",
        json=body,
        headers={"Authorization": f"Bearer {secret}", "User-Agent": BROWSER, **named},
    )


def view(site: str, **fields: Any) -> dict[str, Any]:
    return {"n": "pageview", "d": site, "u": f"https://{site}.example/", **fields}


def test_readers_whom_a_server_names_are_readers(system: System) -> None:
    system.add_site("named")
    _, secret = token(system, "named")
    for number in range(READERS):
        reader = f"203.0.113.{number}"
        answer = send(system, secret, view("named"), X_Forwarded_For=reader)
        assert (answer.status_code, answer.text) == (202, "ok")
        answer = send(system, secret, view("named", ip=reader))
        assert answer.status_code == 202
    system.counter_when("named", total=READERS, metric="visits")
    system.counter_when("named", total=2 * READERS, metric="views")
    metrics = httpx.get(f"{system.ingest.url}/metrics").text
    assert "luot_untrusted_forwarded_hits_total 0.0" in metrics


def test_an_event_that_names_no_reader_is_refused(system: System) -> None:
    system.add_site("nobody")
    _, secret = token(system, "nobody")
    answer = send(system, secret, view("nobody"))
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["ip"]
    answer = send(system, secret, view("nobody", ip="the reader"))
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["ip"]


def test_every_event_of_an_array_has_a_result_of_its_own(system: System) -> None:
    system.add_site("array")
    system.add_site("other")
    _, secret = token(system, "array")
    events = [
        *(view("array", ip=f"203.0.113.{number}", user_agent=BROWSER) for number in range(3)),
        view("array", ip="203.0.113.9", user_agent=BOT),
        view("other", ip="203.0.113.9"),
        view("unknown", ip="203.0.113.9"),
        view("array"),
        "no event",
    ]
    answer = send(system, secret, events)
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert results[:3] == [{"status": "accepted"}] * 3
    assert results[3] == {"status": "dropped", "reason": "bot"}
    assert results[4] == {
        "status": "invalid",
        "errors": {"domain": ["is not a site of this token"]},
    }
    assert results[5] == {"status": "dropped", "reason": "unknown_site"}
    assert list(results[6]["errors"]) == ["ip"]
    assert results[7]["status"] == "invalid"
    system.counter_when("array", total=3, metric="visits")


def test_a_large_array_is_taken_and_one_that_is_too_long_is_not(system: System) -> None:
    system.add_site("large")
    _, secret = token(system, "large")
    one = view("large", user_agent=BROWSER)
    events = [one | {"ip": f"203.0.{n // 250}.{n % 250}"} for n in range(MAX_EVENTS)]
    answer = send(system, secret, events)
    assert len(answer.content) > MAX_BODY
    assert answer.json()["results"] == [{"status": "accepted"}] * MAX_EVENTS
    system.counter_when("large", total=MAX_EVENTS, metric="visits")
    answer = send(system, secret, [*events, one])
    assert answer.status_code == 400
    assert f"at most {MAX_EVENTS}" in answer.text
    huge = send(system, secret, [one | {"r": "x" * 700_000}])
    assert (huge.status_code, list(huge.json()["errors"])) == (413, ["request"])


def test_a_time_of_the_last_hour_is_believed_and_no_other(system: System) -> None:
    system.add_site("times", timezone="UTC")
    _, secret = token(system, "times")
    now = datetime.now(UTC)
    earlier = now - timedelta(minutes=50)

    def sent(timestamp: object) -> httpx.Response:
        return send(system, secret, view("times", ip="203.0.113.9", timestamp=timestamp))

    for right in (earlier.isoformat(), int(earlier.timestamp() * 1000), now.isoformat()):
        assert sent(right).status_code == 202
    for wrong in (
        (now - timedelta(minutes=61)).isoformat(),
        (now + timedelta(minutes=5)).isoformat(),
        earlier.replace(tzinfo=None).isoformat(),
        "yesterday",
        0,
    ):
        answer = sent(wrong)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["timestamp"])
    system.counter_when("times", total=3, metric="views")
    since = earlier.date().isoformat()
    rows = httpx.get(
        f"{system.api.url}/api/v1/stats/timeseries",
        params={"site_id": "times", "period": "day", "date": since, "metrics": "pageviews"},
        headers=ADMIN,
    )
    hours = {row["date"][11:13]: row["pageviews"] for row in rows.json()["results"]}
    assert hours[f"{earlier.hour:02}"] >= 2


def test_a_browser_cannot_say_when_or_who_it_was(system: System) -> None:
    system.add_site("browser")
    event = view("browser", ip="203.0.113.77", timestamp="yesterday")
    answer = httpx.post(f"{system.ingest.url}/e", json=event, headers={"User-Agent": BROWSER})
    assert answer.status_code == 202
    system.counter_when("browser", total=1, metric="visits")
    answer = httpx.post(f"{system.ingest.url}/e", json=[event], headers={"User-Agent": BROWSER})
    assert answer.status_code == 400


def test_a_revoked_token_sends_nothing_within_seconds_and_an_invented_one_never(
    system: System,
) -> None:
    system.add_site("revoked")
    name, secret = token(system, "revoked")
    httpx.delete(f"{system.api.url}/api/admin/tokens/{name}", headers=ADMIN).raise_for_status()
    answers_when(system, secret, 401)
    for wrong in (secret, "luot_invented", TOKEN):
        answer = send(system, wrong, view("revoked", ip="203.0.113.9"))
        assert (answer.status_code, list(answer.json()["errors"])) == (401, ["authorization"])
        assert secret not in answer.text


def test_a_token_that_expired_sends_nothing(system: System) -> None:
    system.add_site("expires")
    soon = datetime.now(UTC) + timedelta(seconds=4)
    _, secret = token(system, "expires", expires_at=soon.isoformat())
    answers_when(system, secret, 401)
    assert "has expired" in send(system, secret, {}).text


def test_a_token_that_sends_may_read_nothing(system: System) -> None:
    system.add_site("reads", public_dashboard=True)
    _, secret = token(system, "reads")
    headers = {"Authorization": f"Bearer {secret}"}
    for path in ("/api/admin/sites", "/api/v1/stats/aggregate?site_id=reads", "/admin/sites/reads"):
        answer = httpx.get(f"{system.api.url}{path}", headers=headers)
        assert (answer.status_code, list(answer.json()["errors"])) == (403, ["role"])


def test_nobody_signs_in_to_send(system: System) -> None:
    body = {"name": "lan", "password": "a-long-password", "role": "send", "sites": ["*"]}
    answer = httpx.post(f"{system.api.url}/api/admin/users", json=body, headers=ADMIN)
    assert answer.status_code == 400


def test_while_redis_is_away_or_empty_the_tokens_known_last_are_good(
    system: System, tmp_path: Path
) -> None:
    system.add_site("away")
    _, secret = token(system, "away")
    with system.redis.client() as redis:
        digests = redis.hgetall("tokens:send")
        assert digests
        assert secret.encode() not in b"".join([*digests, *digests.values()])
    system.redis.kill()
    answer = send(system, secret, view("away", ip="203.0.113.9"))
    assert answer.status_code == 202
    system.redis.start()
    with system.redis.client() as redis:
        redis.delete("tokens:send")
        for _ in range(5):
            assert send(system, secret, {}).status_code == 400
            time.sleep(0.2)
        deadline = time.monotonic() + SECONDS
        while redis.hgetall("tokens:send") != digests:
            assert time.monotonic() < deadline, "the API does not publish them again"
            time.sleep(0.1)
    system.counter_when("away", total=1)


def test_the_list_of_tokens_says_when_one_was_used(system: System) -> None:
    system.add_site("used")
    name, _ = token(system, "used")
    deadline = time.monotonic() + SECONDS
    while True:
        tokens = httpx.get(f"{system.api.url}/api/admin/tokens", headers=ADMIN).json()["tokens"]
        [used] = [one["used_at"] for one in tokens if one["id"] == name]
        if used is not None:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert abs(used / 1000 - time.time()) < 60


def test_a_server_may_send_more_than_one_reader_may(luot_small: System) -> None:
    wait_for_room_in_the_hour()
    luot_small.add_site("budget")
    _, secret = token(luot_small, "budget")
    flood = [view("budget", ip="203.0.113.66") for _ in range(30)]
    results = send(luot_small, secret, flood).json()["results"]
    assert [result.get("reason") for result in results] == [None] * 20 + ["rate"] * 10
    for number in range(30):
        answer = send(luot_small, secret, view("budget", ip=f"203.0.113.{number}"))
        assert "X-Luot-Dropped" not in answer.headers
    luot_small.counter_when("budget", total=50, metric="views")
