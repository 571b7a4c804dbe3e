"""What `luot up` tells of itself, and to whom."""

from collections.abc import Iterator

import pytest

from tests.servers.up import Up

PROCESS = ("/healthz", "/readyz", "/metrics")
NAME = "thongke.example.vn"
READER = {"X-Forwarded-For": "203.0.113.9"}
"""A proxy on this machine says so of somebody elsewhere."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "data", LUOT_PUBLIC_URL=f"https://{NAME}")
    yield running
    assert running.end() == 0


@pytest.mark.parametrize("address", PROCESS)
@pytest.mark.parametrize(
    "forwarded", ["203.0.113.9", "127.0.0.1, 203.0.113.9", "2001:db8::1", "10.0.0.7"]
)
def test_how_it_is_is_told_to_this_machine_only(up: Up, address: str, forwarded: str) -> None:
    assert up.http.get(address).status_code == 200
    answer = up.http.get(address, headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == 404
    assert answer.json() == {"errors": {"request": ["there is nothing at this address"]}}


def test_a_stranger_sees_the_rest(up: Up) -> None:
    assert up.http.get("/api/counter/demo", headers=READER).status_code == 200


def test_only_its_own_names_are_answered_and_hits_are_taken_under_any(up: Up) -> None:
    for address in ("/", "/demo", "/api/counter/demo", "/admin/sign-in"):
        assert up.http.get(address, headers={"Host": "evil.example"}).status_code == 421
        assert up.http.get(address, headers={"Host": NAME}).status_code in (200, 302)
    event = {"n": "pageview", "d": "demo", "u": f"{up.url}/demo"}
    hit = up.http.post("/e", json=event, headers={"Host": "portal.example.vn"})
    assert hit.status_code == 202


def test_who_says_so_tells_everybody(tmp_path_factory: pytest.TempPathFactory) -> None:
    told = Up(tmp_path_factory.mktemp("told") / "data", LUOT_OPEN_METRICS="yes")
    try:
        for address in PROCESS:
            assert told.http.get(address, headers=READER).status_code == 200
    finally:
        assert told.end() == 0
