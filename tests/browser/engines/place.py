"""A portal whose site is counted by a whole Luot, and what stands between browsers and that."""

import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.widget.snippet import PinnedScript, Snippet
from tests.browser.between import Between
from tests.browser.engines.engine import WAIT_SECONDS, comes
from tests.browser.portal import LUOT, PORTAL, Portal
from tests.noon import zone_at_noon
from tests.servers.up import Up

# Browsers say that a program drives them, and such are not counted: the tests are for people.
_DRIVEN = '<script>Object.defineProperty(navigator, "webdriver", { get: () => %s })</script>'
_MARK = "/sau-do-"


class Place:
    """Put up pages, name who sends, and read what was counted.

    between  what browsers reach under Luot's name
    marks    how many views are our own, to know that all before them are counted
    """

    def __init__(self, up: Up, portal: Portal, site: str, **options: Any) -> None:
        self.site = site
        self.between = Between(urlsplit(up.url).port or 0)
        self._up, self._portal = up, portal
        self._token = (up.data / "token").read_text().strip()
        self.marks = 0
        new = {"slug": site, "hosts": [PORTAL], "timezone": zone_at_noon(), **options}
        self._call("POST", "/api/admin/sites", json=new)
        self._own = next(iter(options.get("hosts", [PORTAL])))
        known = f"/api/admin/sites/{site}/ingest"
        assert comes(lambda: self._call("GET", known, params={"wait": 10})["counts"])

    def close(self) -> None:
        self.between.close()

    def luot(self, host: str = LUOT) -> str:
        """Return where browsers find Luot, by one of its names."""
        return f"http://{host}:{self.between.port}"

    def way(self, name: str, host: str = LUOT) -> str:
        """Return a snippet, as `luot snippet` prints it."""
        return Snippet(self.luot(host), self.site, PinnedScript("", "", "")).ways()[name]

    def page(
        self, path: str, body: str = "", head: str | None = None, *, driven: bool = False
    ) -> str:
        """Put up a page, with the script unless another head is given; return its address.

        A page that a program drives, it seems, shows numbers and is not counted.
        """
        head = self.way("script") if head is None else head
        self._portal.page(path, body, head=_DRIVEN % json.dumps(driven) + head)
        return self.url(path)

    def url(self, path: str, host: str = PORTAL) -> str:
        return self._portal.url(path, host)

    @property
    def host(self) -> str:
        """The host of the portal's pages, with its port."""
        return urlsplit(self.url("/")).netloc

    def sent(self, posts: int = 0, images: int = 0, *, twice: bool = False) -> bool:
        """Wait until Luot has answered so many views, and see that there were no more.

        twice  whether each image may have been asked for twice; see Engine
        """
        between = self.between
        came = comes(lambda: len(between.posts()) >= posts and len(between.images()) >= images)
        assert came, [(asked.method, asked.path) for asked in between.asked]
        assert len(between.posts()) == posts, between.asked
        assert images <= len(between.images()) <= images * (1 + twice), between.asked
        return True

    def pages(self) -> dict[str, int]:
        """Return the views by path, when everything that was accepted before is counted."""
        self.marks += 1
        mark = f"{_MARK}{self.marks}"
        # What is counted after it says that nothing before it is yet to be counted. It starts no
        # visit: it asks not to be tracked, and comes from the site.
        answer = self._up.http.post(
            "/e",
            json={
                "n": "pageview",
                "d": self.site,
                "u": f"http://{self._own}{mark}",
                "r": self.url("/"),
            },
            headers={"DNT": "1"},
        )
        assert answer.status_code == 202, answer.text
        assert "x-luot-dropped" not in answer.headers
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            rows = self._stats("breakdown", property="event:page", metrics="pageviews")
            found = {row["page"]: row["pageviews"] for row in rows}
            if found.get(mark):
                return {path: found[path] for path in found if not path.startswith(_MARK)}
            assert time.monotonic() < deadline, found
            # It takes half a second, and each look as long to answer as a page.
            time.sleep(0.2)

    def comes(self, expected: dict[str, int]) -> bool:
        """Wait until the views by path are these; tell whether they came to be."""
        return comes(lambda: self.pages() == expected)

    def downloads(self) -> dict[str, int]:
        """Return the downloads by file, when everything is counted."""
        return self.apart("downloads")

    def apart(self, metric: str) -> dict[str, int]:
        """Return what is counted apart from views, by name, when everything is counted."""
        self.pages()
        rows = self._stats("breakdown", property="event:page", metrics=metric)
        return {row["page"]: row[metric] for row in rows}

    def visits(self) -> int:
        """Return the visits, when everything is counted."""
        self.pages()
        return int(self._stats("aggregate", metrics="visits")["visits"]["value"])

    def visitors(self) -> int:
        """Return the visitors, when everything is counted."""
        self.pages()
        return int(self._stats("aggregate", metrics="visitors")["visitors"]["value"])

    def _stats(self, route: str, **query: str) -> Any:
        query = {"site_id": self.site, "period": "7d", **query}
        return self._call("GET", f"/api/v1/stats/{route}", params=query)["results"]

    def _call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answers.append(self._up.http.request(method, path, headers=headers, **more))
            # "Not now", on a machine that is too busy.
            return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

        comes(is_answered)
        assert answers[-1].is_success, answers[-1].text
        return answers[-1].json()
