"""Checks a fetched page of a portal: is the script there, and will it count?"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import parse_qs, urljoin, urlsplit

from services.doctor.check import Findings
from services.doctor.policy import Policy

_NAMES = ("/counter.js",)
_SERVED = re.compile(r"(?:/v[^/]+)?/counter\.js")
_SECONDS = 20.0
_PLAUSIBLE = "/js/"
_MEASUREMENT = "_govaq"
_MATOMO = "_paq"


class Tag(NamedTuple):
    """A script tag of Luot.

    url      full URL of the script
    site     the site that it names, '' for none
    is_sure  whether it is Luot's by its looks; otherwise it may be of Plausible, or another counter
    """

    url: str
    site: str
    nonce: str
    integrity: str
    is_sure: bool = True

    @property
    def origin(self) -> str:
        """The origin of Luot."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Page(NamedTuple):
    """What a page contains: Luot's tags, its inline code, and the policies it is sent with."""

    url: str
    tags: Sequence[Tag]
    code: str
    policies: Sequence[Policy]


def read_page(url: str, text: str, policies: Sequence[str]) -> Page:
    """Read a page; `policies` are those in its header."""
    reader = _Reader(url)
    reader.feed(text)
    reader.close()
    read = [Policy.read(policy) for policy in (*policies, *reader.policies)]
    return Page(url, reader.tags, "\n".join(reader.code), read)


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._in_script = False
        self.tags: list[Tag] = []
        self.code: list[str] = []
        self.policies: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "base" and given.get("href"):
            self._url = self._address(given["href"]) or self._url
        if tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(given.get("content", ""))
        self._in_script = tag == "script" and "src" not in given
        if tag == "script" and "src" in given:
            self._script(given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.code.append(data)

    def parse_marked_section(self, start: int, report: bool = True) -> int:
        """Take an unknown section (`<![x[…]]>`) for a comment, as browsers do, and do not raise."""
        try:
            return super().parse_marked_section(start, report)
        except AssertionError:
            return self.parse_bogus_comment(start)

    def _address(self, written: str) -> str:
        """Return the full URL of what a page names; '' if it is none, as a template's gap is."""
        try:
            url = urljoin(self._url, written)
            _ = urlsplit(url).port
        except ValueError:
            return ""
        return url

    def _script(self, given: dict[str, str]) -> None:
        url = self._address(given["src"].strip())
        parts = urlsplit(url)
        named = parts.path.endswith(_NAMES) or (
            parts.path.startswith(_PLAUSIBLE) and "data-domain" in given
        )
        if not named:
            return
        in_query = parse_qs(parts.query).get("site", [""])
        site = given.get("data-site") or in_query[0] or given.get("data-domain", "").split(",")[0]
        of_luot = "data-site" in given or bool(in_query[0]) or bool(_SERVED.fullmatch(parts.path))
        self.tags.append(
            Tag(
                url,
                site,
                given.get("nonce", ""),
                given.get("integrity", ""),
                of_luot and parts.path.endswith(_NAMES),
            )
        )


def answers_as_luot(origin: str) -> bool:
    """Ask whether Luot takes hits at an origin, with one that is not counted."""
    import httpx

    event = {"n": "pageview", "d": "", "u": f"{origin}/"}
    try:
        answer = httpx.post(
            f"{origin}/e", json=event, headers={"Sec-Purpose": "prefetch"}, timeout=_SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return "x-luot-dropped" in answer.headers


def look_at(
    page: Page, findings: Findings, is_luot: Callable[[str], bool] = answers_as_luot
) -> Tag | None:
    """Add the findings about the page itself; return the tag that counts.

    `is_luot` tells whether an origin is a Luot; it is asked where a tag does not tell.
    """
    host, known = urlsplit(page.url).hostname, cache(is_luot)
    tags = [tag for tag in page.tags if tag.is_sure or known(tag.origin)]
    if not tags and page.tags:
        other = page.tags[0]
        findings.add(
            "script",
            False,
            f"the page has no Luot script: {other.url} is of another counter, for {other.origin}"
            " does not answer as Luot",
            "put the line from `luot snippet` into the template; the other counter may stay."
            " If that is the address of Luot, check that it can be reached, and /e there",
        )
    elif not tags:
        late = "/counter.js" in page.code
        findings.add(
            "script",
            None if late else False,
            "code on the page loads it later; that cannot be checked"
            if late
            else "the page has no Luot script",
            "put the line from `luot snippet` into the template; if it is there already, clear"
            " the portal's cache. Scripts from a tag manager are not seen here",
        )
    else:
        found = f"{tags[0].url}, for {tags[0].site or 'no site'}"
        findings.add("script", True, found)
        findings.add(
            "once",
            len(tags) == 1,
            "it is there once" if len(tags) == 1 else f"it is there {len(tags)} times",
            "only the first one counts; remove the others: "
            + ", ".join(f"{tag.url} for {tag.site or 'no site'}" for tag in tags[1:]),
        )
        _look_at_policy(page, tags[0], findings)
    if _MEASUREMENT in page.code:
        findings.add("national measurement", True, "its tag is in the page, next to Luot's")
    elif _MATOMO in page.code:
        findings.add("national measurement", None, "there is a Matomo tag, but none with _govaq")
    else:
        found = f"its tag is not in this page of {host}; see docs/emc.md"
        findings.add("national measurement", None, found)
    return tags[0] if tags else None


def _look_at_policy(page: Page, tag: Tag, findings: Findings) -> None:
    needed = {
        "script-src-elem": (tag.url, tag.nonce),
        "connect-src": (f"{tag.origin}/e", ""),
        "img-src": (f"{tag.origin}/hit.gif", ""),
    }
    refused = [
        name
        for policy in page.policies
        for directive, (url, nonce) in needed.items()
        if (name := policy.refuses(directive, url, page.url, nonce))
    ]
    if not page.policies:
        found = "the page sends none, so nothing is forbidden"
    elif refused:
        found = f"it blocks Luot with {', '.join(dict.fromkeys(refused))}"
    else:
        found = "it allows script, hits and image"
    findings.add(
        "policy",
        not refused,
        found,
        f"add {tag.origin} there; see docs/embedding.md#content-security-policy",
    )
