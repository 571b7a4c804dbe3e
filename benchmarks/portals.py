"""The traffic of many portals: who reads which page of which site, always the same."""

from functools import lru_cache
from itertools import accumulate, product
from random import Random

import msgspec

from services.model.site import Site

SITES = 100
PAGES_A_SITE = 50
AGENTS = 1000
SEED = 2026
ZIPF_EXPONENT = 1.1
"""As in services/traffic/simulate.py."""

_ANDROID = ("10; K", "13; SM-A536E", "14; SM-A556E", "14; 23106RN0DA", "12; CPH2239", "15; V2318")
_WINDOWS = ("Windows NT 10.0; Win64; x64", "Windows NT 6.1; Win64; x64", "Windows NT 10.0; WOW64")
_MAC = ("Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "X11; CrOS x86_64 14541.0.0")
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0"
_PATTERNS = (
    *(f"Mozilla/5.0 (Linux; Android {name}) {_CHROME} Mobile Safari/537.36" for name in _ANDROID),
    *(f"Mozilla/5.0 ({name}) {_CHROME} Safari/537.36" for name in (*_WINDOWS, *_MAC)),
    *(f"Mozilla/5.0 ({name}) {_CHROME} Safari/537.36 Edg/{{}}.0.0.0" for name in _WINDOWS),
    *(f"Mozilla/5.0 ({name}; rv:{{}}.0) Gecko/20100101 Firefox/{{}}.0" for name in _WINDOWS),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) Version/18.{} Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " coc_coc_browser/{} Chrome/133.0.0.0 Safari/537.36"
    ),
)
_REFERRERS = ("", "", "", "https://www.google.com/", "https://www.facebook.com/")


class View(msgspec.Struct, frozen=True):
    """One page view, as the browser and the proxy in front of ingest tell it."""

    site: str
    path: str
    agent: str
    address: str
    referrer: str

    def body(self) -> bytes:
        """Return what counter.js sends."""
        return msgspec.json.encode(
            {
                "n": "pageview",
                "d": self.site,
                "u": f"https://{self.site}.example{self.path}",
                "r": self.referrer,
                "t": "Thông tin tuyển sinh năm học 2026-2027",
            }
        )


def sites(count: int = SITES) -> list[Site]:
    """Return the sites, the one with most visitors first."""
    return [
        Site(slug=f"portal-{number}", hosts=(f"portal-{number}.example",))
        for number in range(count)
    ]


@lru_cache(maxsize=1)
def agents() -> list[str]:
    """Return different User-Agents of browsers."""
    versions = range(80, 80 + -(-AGENTS // len(_PATTERNS)))
    made = [
        pattern.replace("{}", str(version)) for version, pattern in product(versions, _PATTERNS)
    ]
    return made[:AGENTS]


@lru_cache(maxsize=2)
def views(count: int, seed: int = SEED) -> list[View]:
    """Return page views of made-up visitors; sites and pages are popular after Zipf's law."""
    random = Random(seed)
    slugs = [site.slug for site in sites()]
    popular_sites = zipf(len(slugs))
    popular_pages = zipf(PAGES_A_SITE)
    everyone = agents()
    made: list[View] = []
    while len(made) < count:
        site = random.choices(slugs, cum_weights=popular_sites)[0]
        agent, referrer = random.choice(everyone), random.choice(_REFERRERS)
        address = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        while True:
            page = random.choices(range(PAGES_A_SITE), cum_weights=popular_pages)[0]
            path = f"/tin-tuc/{site}-bai-viet-so-{page}.html" if page else "/"
            made.append(View(site, path, agent, address, referrer))
            referrer = f"https://{site}.example{path}"
            if random.random() < 1 / 3:
                break
    random.shuffle(made)
    return made[:count]


def zipf(count: int) -> list[float]:
    """Return the cumulated weights of `count` things by popularity."""
    return list(accumulate(1 / rank**ZIPF_EXPONENT for rank in range(1, count + 1)))
