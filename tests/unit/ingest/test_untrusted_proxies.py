"""Ingest says that it sees untrusted proxies, not too often, and never who they are."""

import logging

import pytest

from services.ingest.noticed import REMEMBERED_SECONDS, WARN_SECONDS
from services.ingest.untrusted_proxies import UntrustedProxies
from services.state.state import State


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def proxies(clock: Clock) -> UntrustedProxies:
    return UntrustedProxies(State.open("redis://127.0.0.1:1/0"), lambda: 0, clock)


def test_the_first_hit_is_told_at_once_and_the_others_once_a_minute(
    proxies: UntrustedProxies, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for number in range(100):
        proxies.note("mytho", f"198.51.100.{number % 3}")
        proxies.look()
    assert len(caplog.messages) == 1
    clock.now += WARN_SECONDS
    proxies.look()
    proxies.look()
    first, second = caplog.messages
    assert first.startswith(
        "1 hit came with X-Forwarded-For from 1 peer not in LUOT_TRUSTED_PROXIES"
    )
    assert second.startswith(
        "99 hits came with X-Forwarded-For from 3 peers not in LUOT_TRUSTED_PROXIES"
    )
    assert "198.51.100" not in caplog.text


def test_what_was_said_is_known_for_a_while(proxies: UntrustedProxies, clock: Clock) -> None:
    assert proxies.problem() is None
    proxies.note("mytho", "198.51.100.1")
    clock.now += 5
    assert str(proxies.problem()).startswith("5 s ago: 1 hit came with X-Forwarded-For")
    clock.now += REMEMBERED_SECONDS
    assert proxies.problem() is None


def test_peers_that_are_very_many_are_not_all_remembered(
    proxies: UntrustedProxies, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5000):
        proxies.note("mytho", f"peer {number}")
    clock.now += WARN_SECONDS
    proxies.look()
    assert "from over 1000 peers" in caplog.messages[-1]
