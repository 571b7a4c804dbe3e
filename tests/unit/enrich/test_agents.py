"""Who is a person, and with which browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrich.agents import MAX_USER_AGENT, Agent, read_agent
from services.enrich.bots import Bots

BOTS = Bots()
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/120.0.0.0 Safari/537.36"
)
COC_COC = CHROME.replace("Chrome/120", "coc_coc_browser/117.0.140 Chrome/111")
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko)"
    " SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36"
)
CUBOT = (
    "Mozilla/5.0 (Linux; Android 7.0; CUBOT_NOTE_S) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/63.0.3239.111 Mobile Safari/537.36"
)
ZALO = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Mobile/15E148 Zalo iOS/469 ZaloTheme/light ZaloLanguage/vi"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/12.1.2 Mobile/15E148 Safari/604.1"
)
TABLET = PHONE.replace(" Mobile", "")
TV = (
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Version/6.0 TV Safari/537.36"
)
EDGE = CHROME + " Edg/120.0.0.0"
FIREFOX = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"


@pytest.mark.parametrize(
    "user_agent",
    [CHROME, COC_COC, PHONE, CUBOT, ZALO, IPAD, TABLET, TV, EDGE, FIREFOX, "Opera/9.80 (J2ME)"],
)
def test_people_are_not_bots(user_agent: str) -> None:
    assert not BOTS.is_bot(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "-",
        "curl/8.5.0",
        "Wget/1.21",
        "python-requests/2.31.0",
        "Python/3.11 aiohttp/3.9.1",
        "Go-http-client/1.1",
        "Java/17.0.1",
        "okhttp/4.12.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; coccocbot-web/1.0; +http://help.coccoc.com/searchengine)",
        "Mozilla/5.0 (compatible; Yahoo! Slurp)",
        CHROME.replace("Chrome/", "HeadlessChrome/"),
        "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "LumiBot 2.0",
        "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
    ],
)
def test_crawlers_and_tools_are_bots(user_agent: str) -> None:
    assert BOTS.is_bot(user_agent)


@pytest.mark.parametrize(
    ("user_agent", "agent"),
    [
        (CHROME, Agent("desktop", "Chrome", "Windows")),
        (COC_COC, Agent("desktop", "Cốc Cốc", "Windows")),
        (PHONE, Agent("mobile", "Samsung Internet", "Android")),
        (ZALO, Agent("mobile", "Zalo", "iOS")),
        (IPAD, Agent("tablet", "Safari", "iOS")),
        (TABLET, Agent("tablet", "Samsung Internet", "Android")),
        (TV, Agent("tv", "Safari", "Tizen")),
        (EDGE, Agent("desktop", "Edge", "Windows")),
        (FIREFOX, Agent("desktop", "Firefox", "Linux")),
        ("", Agent("other", "Other", "Other")),
    ],
)
def test_a_user_agent_is_reduced_to_families(user_agent: str, agent: Agent) -> None:
    assert read_agent(user_agent) == agent


def test_no_part_of_a_user_agent_gets_through() -> None:
    agent = read_agent("Mozilla/5.0 (NguyenVanA; 192.0.2.7) NguyenVanA/1.0 Version/NguyenVanA")
    assert "Nguyen" not in repr(agent)


@given(st.binary(max_size=40) | st.sampled_from([CHROME.encode(), b"curl/8.5.0"]))
def test_a_header_is_read_as_its_text_is(header: bytes) -> None:
    assert BOTS.read_sender(header) == (
        header.decode("latin-1"),
        BOTS.is_bot(header.decode("latin-1")),
    )


def test_of_a_long_user_agent_only_the_beginning_is_looked_at_and_kept() -> None:
    header = CHROME.encode().ljust(MAX_USER_AGENT, b"x")
    bots = Bots()
    assert bots.read_sender(header + b" Googlebot") == (header.decode(), False)
    before = len(bots._headers), len(bots._verdicts)
    for number in range(10):
        bots.read_sender(header + b"%d" % number)
    assert (len(bots._headers), len(bots._verdicts)) == before
