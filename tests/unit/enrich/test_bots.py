"""People are not bots, whatever they read in; and why a bot is one."""

import gzip
import json
import os
from pathlib import Path

import pytest

from services.enrich import crawler_lists
from services.enrich.bots import Bots, Reason, judge
from services.enrich.operator_patterns import PatternsError, PatternsFile, read_patterns
from services.settings import SettingsError
from tests.agents.people import people
from tests.agents.switch_off import FILE, to_switch_off

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/139.0.0.0 Safari/537.36"
)


def test_nobody_is_a_bot_because_of_a_telephone_or_the_application_that_is_read_in() -> None:
    assert [agent for agent in people() if judge(agent).bot] == []


@pytest.mark.parametrize(
    "agent",
    [
        # Facebook's browser, and every WebView of a build that several makers share
        (
            "Mozilla/5.0 (Linux; Android 13; V2205 Build/TP1A.220624.014; wv) AppleWebKit"
            "/537.36 (KHTML, like Gecko) Version/4.0 Chrome/136.0.0.0 Mobile"
            " Safari/537.36 MetaIAB Facebook"
        ),
        (
            "Mozilla/5.0 (Linux; Android 15; CPH2581 Build/AP3A.240617.008; wv) AppleWebKit"
            "/537.36 (KHTML, like Gecko) Version/4.0 Chrome/132.0.0.0 Mobile"
            " Safari/537.36 Zalo android/241"
        ),
        # a new telephone with a name that is on some list
        (
            "Mozilla/5.0 (Linux; Android 16; Pingdom Spider Bot 5 Build/BP2A; wv) AppleWebKit"
            "/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36"
        ),
        (
            "Mozilla/5.0 (Linux; Android 16; Uptime X) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0.0.0 Mobile Safari/537.36"
        ),
    ],
)
def test_a_group_of_readers_is_not_dropped(agent: str) -> None:
    assert not judge(agent).bot


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("", Reason.EMPTY),
        ("Acme/1.0 (+https://acme.example/why)", Reason.INTRODUCTION),
        (CHROME + " (scan@acme.example)", Reason.INTRODUCTION),
        ("Mozilla/5.0 (compatible; AcmeBot/3.1)", Reason.NAME),
        (
            (
                "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 "
                "(KHTML, like Gecko) Chrome/120.0.0.0 Mobile"
                " Safari/537.36 (compatible; Googlebot/2.1;"
                " +http://www.google.com/bot.html)"
            ),
            Reason.INTRODUCTION,
        ),
        ("Acme https://acme.example", Reason.URL),
        ("curl/8.5.0", Reason.TOOL),
        ("check_http/v2.3.1 (monitoring-plugins 2.3.1)", Reason.TOOL),
        ("munin/2.0.66", Reason.TOOL),
        ("Apache/2.4.62 (Debian) (internal dummy connection)", Reason.TOOL),
        ("Elastic-Heartbeat/8.1.0 (linux; amd64)", Reason.TOOL),
        ("AcmeWatch/2.1", Reason.PRODUCT),
        ("acme_probe/v3.0-rc1", Reason.PRODUCT),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), Reason.TOOL),
        ("Mozilla/5.0 (compatible; Acme/1.0)", Reason.NO_ENGINE),
        (CHROME + " PTST/240101.000000", Reason.LIST),
    ],
)
def test_a_bot_is_one_for_a_reason(agent: str, reason: Reason) -> None:
    verdict = judge(agent)
    assert (verdict.bot, verdict.reason) == (True, reason)


def test_what_takes_people_for_crawlers_is_switched_off() -> None:
    """Due after an upgrade of a list: python -m tests.agents.switch_off."""
    assert to_switch_off(people()) == crawler_lists.switched_off()
    assert {pattern["regex"] for pattern in json.loads(FILE.read_bytes())} >= {
        r"AP3A\.240617\.008",
        "MetaIAB Facebook",
    }


@pytest.mark.parametrize(
    ("regex", "found", "other"),
    [
        ("Acme-Monitor\\/[A-F]{2}", ("acme-monitor/ab", "ACME-MONITOR/AB"), "acme-monitor/xy"),
        # capital letters of escapes are no letters
        ("Tool\\S\\D", ("tool-x", "TOOL-X"), "tool 1"),
        ("Zed(?!ex)", ("ZED", "zed/1"), "zedex"),
    ],
)
def test_a_list_is_of_any_case_or_of_one(regex: str, found: tuple[str, str], other: str) -> None:
    any_case = crawler_lists.PatternSet([(7, regex)], any_case=True)
    assert [any_case.find(text) for text in (*found, other)] == [7, 7, None]
    assert crawler_lists.PatternSet([(7, "Acme")]).find("acme") is None


def test_the_operator_has_the_last_word() -> None:
    bots = Bots()
    assert not bots.is_bot(CHROME + " AcmeMonitor/2")
    assert bots.is_bot("curl/8.5.0")
    bots.use(read_patterns("# ours\ndeny AcmeMonitor/\n\nallow ^curl/8\n"))
    assert bots.is_bot(CHROME + " acmemonitor/2")
    assert not bots.is_bot("curl/8.5.0")
    assert bots.judge_cut("curl/8.5.0").evidence == "^curl/8"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("permit x", "line 1: 'permit x'; expected 'allow <pattern>' or 'deny <pattern>'"),
        ("deny a\nallow", "line 2"),
        ("deny (", "line 1: '(' is no regular expression"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_named(text: str, words: str) -> None:
    with pytest.raises(PatternsError, match=words.replace("(", r"\(")):
        read_patterns(text)


def test_on_labelled_agents_no_reader_in_two_thousand_is_a_bot_and_nine_bots_in_ten_are() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "user_agents.tsv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there: it is beside some checkouts only")
    rows = [line.split("\t", 1) for line in gzip.decompress(path.read_bytes()).decode().split("\n")]
    tagged = {
        label: [judge(row[1]).bot for row in rows if row[0] == label]
        for label in ("person", "person-inapp", "bot")
    }
    shares = {label: sum(bots) / len(bots) for label, bots in tagged.items()}
    assert shares["person"] <= 0.0005
    assert shares["person-inapp"] <= 0.0005
    assert shares["bot"] >= 0.92


def test_the_file_of_the_operator_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "patterns"
    path.write_text("deny AcmeMonitor/")
    bots = Bots()
    file = PatternsFile(path, bots.use)
    assert bots.is_bot(CHROME + " AcmeMonitor/2")
    path.write_text("deny OtherMonitor/")
    os.utime(path, ns=(1, 1))
    file.refresh()
    assert not bots.is_bot(CHROME + " AcmeMonitor/2")
    path.write_text("deny (")
    os.utime(path, ns=(2, 2))
    file.refresh()
    assert bots.is_bot(CHROME + " OtherMonitor/2")


def test_a_file_that_cannot_be_used_stops_the_start_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "patterns"
    path.write_text("deny a\nmaybe b")
    with pytest.raises(SettingsError, match=r"LUOT_BOT_PATTERNS=.*patterns.*line 2: 'maybe b'"):
        PatternsFile(path, Bots().use)


@pytest.mark.parametrize(
    ("regex", "found", "not_found"),
    [
        (r"Nutch", "x Nutch/2", "utch"),
        (r"a\.b", "xa.by", "xaxby"),
        (r"a.b", "xaxby", "ab"),
        (r"Site Lookup \+1", "the Site Lookup +1", "Site Lookup 1"),
        (r"\d\-\w", "x5-y", "d-w"),
        (r"^curl", "curl/8", "a curl"),
        (r"one|two", "two", "|"),
    ],
)
def test_a_pattern_that_is_plain_text_is_found_like_any_other(
    regex: str, found: str, not_found: str
) -> None:
    patterns = crawler_lists.PatternSet([(3, "never there"), (7, regex)])
    assert patterns.find(found) == 7
    assert patterns.find(not_found) is None
    in_any_case = crawler_lists.PatternSet([(7, regex)], any_case=True)
    assert in_any_case.find(found.upper()) == 7
    assert in_any_case.find(not_found.upper()) is None
