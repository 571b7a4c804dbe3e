"""Simulates visitors of a portal: who they are, where they come from, what they read."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import accumulate
from random import Random

import msgspec

from services.traffic.sender import PageView

PAGES_A_VISITOR = 3.0
"""Mean of a geometric distribution: most visitors read one or two pages, few read many."""
READING_SECONDS = 20.0
ZIPF_EXPONENT = 1.1
"""Popularity of pages on portals follows Zipf's law with an exponent near 1 (Breslau et al.,
"Web Caching and Zipf-like Distributions", INFOCOM 1999)."""

USER_AGENTS = {
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/139.0.0.0 Mobile Safari/537.36": 34,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1": 16,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/139.0.0.0 Safari/537.36": 26,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " coc_coc_browser/139.0.250 Chrome/133.0.0.0 Safari/537.36": 7,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0": 5,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0": 3,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Safari/605.1.15": 3,
    "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-A556E) AppleWebKit/537.36 (KHTML, like Gecko)"
    " SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": 3,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": 2,
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": 1,
}
"""User-Agent → its share in percent: phones first, as on Vietnamese portals, and some bots."""

REFERRERS = {
    "": 45,
    "https://www.google.com/": 30,
    "https://coccoc.com/": 6,
    "https://www.facebook.com/": 11,
    "https://zalo.me/": 5,
    "https://www.bing.com/": 3,
}
"""Where a visitor comes from → its share in percent; '' is typed or bookmarked."""

NETWORKS = tuple(
    IPv4Network(network)
    for network in (
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",  # RFC 5737: for documentation
        "10.0.0.0/8",  # RFC 1918, for the visitors that find no room above
    )
)
_ADDRESSES = sum(network.num_addresses for network in NETWORKS)


def visitors(
    count: int, seconds: float, paths: Sequence[str], *, host: str, seed: int | None = None
) -> list[PageView]:
    """Return the page views of `count` visitors within `seconds`, sorted by time.

    `paths` are sorted by popularity, the most popular first. The same seed gives the same traffic.
    With 0 seconds, all are due at once, in the order that they would have within an hour.
    """
    random = Random(seed)  # noqa: S311  # traffic, not a secret
    span = seconds or 3600.0
    popular = list(accumulate(1 / rank**ZIPF_EXPONENT for rank in range(1, len(paths) + 1)))
    views = [
        view
        for number in range(count)
        for view in _visit(random, _address(number), span, paths, popular, f"https://{host}")
    ]
    views.sort(key=lambda view: view.after)
    return views if seconds else [msgspec.structs.replace(view, after=0.0) for view in views]


def _visit(
    random: Random,
    address: IPv4Address,
    seconds: float,
    paths: Sequence[str],
    popular: Sequence[float],
    origin: str,
) -> Iterator[PageView]:
    user_agent = _pick(random, USER_AGENTS)
    referrer = _pick(random, REFERRERS)
    after = random.uniform(0, seconds)
    more = 1 - 1 / PAGES_A_VISITOR
    while True:
        url = origin + paths[bisect(popular, random.uniform(0, popular[-1]), hi=len(paths) - 1)]
        yield PageView(
            after=after,
            url=url,
            referrer=referrer,
            user_agent=user_agent,
            address=str(address),
        )
        referrer = url
        after += random.expovariate(1 / READING_SECONDS)
        if random.random() > more or after > seconds:
            return


def _pick(random: Random, shares: dict[str, int]) -> str:
    return random.choices(list(shares), weights=list(shares.values()))[0]


def _address(number: int) -> IPv4Address:
    """Return the address of a visitor: a different one for each, until all are used."""
    number %= _ADDRESSES
    for network in NETWORKS:
        if number < network.num_addresses:
            return network[number]
        number -= network.num_addresses
    raise AssertionError(number)
