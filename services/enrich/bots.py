"""Which User-Agents are not people."""

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import msgspec
import ua_parser_rs

MAX_USER_AGENT = 512
"""Characters of a User-Agent that are looked at."""

# Tools, libraries and words that no browser sends. Not 'bot' alone: Cubot makes telephones.
_TOOLS = re.compile(
    r"""
    ^(?: curl | wget | fetch | lwp | java | php | ruby | perl | python | dart | deno | bun | node
       | go-http-client | okhttp | axios | got | undici | aiohttp | httpx | httpie | guzzlehttp
       | postmanruntime | insomnia | symfony | k6 | ab | siege | vegeta | faraday | mechanize
       )\b
    | python- | libwww | http_request | httpclient | http-client | node-fetch | urllib | scrapy
    | headless | phantomjs | puppeteer | playwright | selenium | webdriver | slimerjs | lighthouse
    | crawler | crawling | spider | slurp | scraper | fetcher | feedparser | feedburner
    | rss\ reader | validator | link\ ?check | uptime | monitoring | pingdom | archiver
    | webcopier | httrack
    | (?<! cu ) bot (?: $ | [^a-z] )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LETTER = re.compile(r"[A-Za-z]")


class _Crawler(msgspec.Struct, gc=False):
    pattern: str


def _patterns() -> list[str]:
    """Return the list of the package `crawler-user-agents`.

    The package is not imported: it would keep the examples of every crawler in memory.
    """
    package = find_spec("crawleruseragents")
    assert package is not None, "it is a dependency"  # noqa: S101
    assert package.origin is not None  # noqa: S101
    data = Path(package.origin).with_name("crawler-user-agents.json").read_bytes()
    return [crawler.pattern for crawler in msgspec.json.decode(data, type=list[_Crawler])]


# One pass of a Rust regex set over all 1,504 patterns: 2.6 µs, where `re` takes 200 to 360.
_crawlers = ua_parser_rs.UserAgentExtractor(
    (pattern, "", None, None, None, None) for pattern in _patterns()
)


@lru_cache(maxsize=16_384)
def is_bot(user_agent: str) -> bool:
    """Tell whether a User-Agent is a crawler's, a tool's, or nobody's.

    The list is `crawler-user-agents` as it is (case matters there); tools that name themselves
    and agents without a single letter are added.
    """
    user_agent = user_agent[:MAX_USER_AGENT]
    if not _LETTER.search(user_agent):
        return True
    return _TOOLS.search(user_agent) is not None or _crawlers.extract(user_agent) is not None


def read_sender(user_agent: bytes) -> tuple[str, bool]:
    """Return the text of a header User-Agent, cut, and whether it is a bot's."""
    return _read_sender(user_agent[:MAX_USER_AGENT])


@lru_cache(maxsize=16_384)
def _read_sender(user_agent: bytes) -> tuple[str, bool]:
    text = user_agent.decode("latin-1")
    return text, is_bot(text)
