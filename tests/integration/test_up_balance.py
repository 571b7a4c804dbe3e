"""Opening balances and the look of a block from the command line, up to the badge."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.patience import rounds
from tests.servers.up import Up, luot


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("balance") / "data")
    yield running
    assert running.end() == 0


def data(up: Up) -> tuple[str, str]:
    return ("--data", str(up.data))


def text(up: Up, **options: str) -> list[str]:
    answer = up.http.get("/counter/demo.txt", params=options)
    assert answer.status_code == 200, answer.text
    return answer.text.splitlines()


def shows(up: Up, expected: list[str], **options: str) -> None:
    """Wait for the text of the block."""
    for _ in rounds(0.05):
        if (found := text(up, **options)) == expected:
            return
        time.sleep(0.05)
    raise AssertionError(f"the block shows {found}, expected {expected}")


def test_what_the_old_counter_showed_is_on_the_badge_and_can_be_taken_back(up: Up) -> None:
    why = ("--reason", "sổ của cổng cũ")
    added = luot("balance", "add", "demo", "total", "--visits", "8307145", *why, *data(up))
    assert (added.returncode, added.stderr) == (0, "")
    assert "the site demo shows views, and this entry has none" in added.stdout
    month = ("balance", "add", "demo", "month", "--start", "2020-02", "--visits", "5", *why)
    assert luot(*month, *data(up)).returncode == 0
    again = luot(*month, *data(up))
    assert "nothing changed" in again.stdout

    listed = luot("balance", "list", "demo", "--json", *data(up))
    entries = json.loads(listed.stdout)
    assert [entry["id"] for entry in entries] == ["total", "month:2020-02"]
    assert [entry["start"] for entry in entries] == [None, "2020-02-01"]
    assert "sổ của cổng cũ" in luot("balance", "list", "demo", *data(up)).stdout
    shows(up, ["Tổng lượt truy cập: 8.307.145"], lines="total", metric="visits")

    back = luot("balance", "reverse", "demo", "total", "--reason", "wrong", *data(up))
    assert back.returncode == 0
    shows(up, ["Tổng lượt truy cập: 0"], lines="total", metric="visits")
    refused = luot("balance", "reverse", "demo", "total", "--reason", "again", *data(up))
    assert (refused.returncode, "409" in refused.stderr) == (2, True)


def test_the_look_of_a_block_is_set_option_by_option(up: Up) -> None:
    block = ("--lines", "online,today", "--label", "online=Đang truy cập ", "--digits", "3")
    edited = luot("site", "edit", "demo", *block, "--json", *data(up))
    assert json.loads(edited.stdout)["display"] == {
        "lines": ["online", "today"],
        "digits": 3,
        "labels": {"online": "Đang truy cập "},
    }
    shows(up, ["000", "Đang truy cập : 0", "Hôm nay: 0"])
    reset = luot("site", "edit", "demo", "--reset", "digits", "--reset", "labels", *data(up))
    assert reset.returncode == 0
    shows(up, ["Đang truy cập: 0", "Hôm nay: 0"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("site", "edit", "demo", "--lang", "fr"), "display.lang"),
        (("site", "edit", "demo", "--label", "online"), "has no '='"),
        (("site", "edit", "demo", "--reset", "colour"), "--reset 'colour' is not an option"),
        (
            ("site", "edit", "demo", "--lang", "vi", "--reset", "lang"),
            "expected only one of the two",
        ),
        (("balance", "add", "demo", "month", "--reason", "x", "--start", "2020"), "'2020'"),
        (("balance", "add", "demo", "week", "--reason", "x", "--visits", "1"), "entries.0.grain"),
        (("balance", "add", "demo", "total", "--reason", "x"), "entries.0.visits"),
        (("balance", "add", "nobody", "total", "--reason", "x", "--visits", "1"), "'nobody'"),
        (("balance", "reverse", "demo", "none", "--reason", "x"), "'none' is no entry"),
    ],
)
def test_what_cannot_be_is_refused_in_one_message(
    up: Up, arguments: tuple[str, ...], named: str
) -> None:
    refused = luot(*arguments, *data(up))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert named in " ".join(refused.stderr.split())
