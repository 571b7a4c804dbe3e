"""Corrections, peaks and hidden pages from the command line, up to the public counter."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.patience import rounds
from tests.servers.up import Up, luot

WHY = ("--reason", "máy tự động")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("correct") / "data")
    running.move_to_noon()
    yield running
    assert running.end() == 0


def run(up: Up, *arguments: str) -> str:
    done = luot(*arguments, "--data", str(up.data))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def refused(up: Up, *arguments: str) -> str:
    done = luot(*arguments, "--data", str(up.data))
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def shows(up: Up, **expected: int) -> None:
    """Wait for numbers of the block."""
    for _ in rounds(0.05):
        found = {name: up.counter()[name] for name in expected}
        if found == expected:
            return
        time.sleep(0.05)
    raise AssertionError(f"{found}, expected {expected}")


def top(up: Up) -> list[str]:
    return [page["path"] for page in up.http.get("/api/top/noon").json()["pages"]]


def test_views_are_looked_at_taken_back_listed_and_given_back(up: Up) -> None:
    for number in range(6):
        up.view("/spam;1", agent=f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Firefox/142.0")
    for _ in range(3):
        up.view("/tin-tuc")
    up.wait_for_total(9)
    which = ("correct", "views", "noon", "--from", "1h", "--path", "/spam;*")

    looked = run(up, *which)
    assert "nothing has changed yet" in looked
    assert "/spam;1" in looked
    assert "9 → 3" in looked
    found = json.loads(run(up, *which, "--json"))
    assert (found["views"], found["visits"], found["visitors"]) == (6, 6, 6)
    assert up.counter()["total"] == 9
    assert "without --reason" in refused(up, *which, "--yes")

    made = json.loads(run(up, *which, "--yes", *WHY, "--json"))
    shows(up, total=3, today=3)
    assert "nothing to take back" in run(up, *which, "--yes", *WHY)
    many = ("correct", "views", "noon", "--from", "1h", "--more-than", "2", "--browser", "Firefox")
    assert json.loads(run(up, *many, "--json"))["views"] == 3

    listed = run(up, "correct", "list", "noon")
    assert made["id"] in listed
    assert "máy tự động" in listed
    back = run(up, "correct", "reverse", "noon", made["id"], "--reason", "nhầm")
    assert f"reversal:{made['id']}" in back
    shows(up, total=9, today=9)
    rows: list[dict[str, Any]] = json.loads(run(up, "correct", "list", "noon", "--json"))
    assert [row["views"] for row in rows] == [-6, 6]
    assert "is no correction of noon" in refused(
        up, "correct", "reverse", "noon", "none", "--reason", "x"
    )
    assert "expected a time before the end" in refused(
        up, "correct", "views", "noon", "--from", "2999-01-01"
    )


def test_a_peak_is_reset_and_as_it_was_again(up: Up) -> None:
    which = ("correct", "views", "noon", "--from", "1h", "--path", "/spam;*", "--yes", *WHY)
    made = json.loads(run(up, *which, "--json"))
    for _ in rounds(0.05):
        if (peak := up.counter()["peak"]["online"]) == 7:
            break
        time.sleep(0.05)
    assert peak == 7
    assert "the peak shown is 1 (measured: 7)" in run(up, "correct", "peak", "noon", *WHY)
    for _ in rounds(0.05):
        if up.counter()["peak"]["online"] == 1:
            break
        time.sleep(0.05)
    assert up.counter()["peak"]["online"] == 1
    restored = json.loads(run(up, "correct", "peak", "noon", *WHY, "--restore", "--json"))
    assert restored["reset"] is False
    run(up, "correct", "reverse", "noon", made["id"], *WHY)


def test_a_page_is_hidden_and_comes_back(up: Up) -> None:
    run(up, "site", "edit", "noon", "--public-top", "--top-min-visitors", "1")
    assert set(top(up)) == {"/spam;1", "/tin-tuc"}
    assert "hidden pages of noon: /spam*" in run(up, "site", "hide", "noon", "/spam*")
    assert top(up) == ["/tin-tuc"]
    assert "is not hidden" in refused(up, "site", "unhide", "noon", "/other")
    run(up, "site", "unhide", "noon", "/spam*")
    assert set(top(up)) == {"/spam;1", "/tin-tuc"}
