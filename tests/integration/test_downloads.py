"""A click on a file becomes a number of its own, and is in no other."""

import json
import time
from typing import Any

import httpx

from tests.patience import PATIENCE_SECONDS
from tests.servers.system import BROWSER, TOKEN, System

FILE = "/van-ban/qd-12.pdf"


def download(luot: System, site: str, url: str, number: str = "", **more: Any) -> str:
    """Send what a script sends; return why it does not count."""
    event = {
        "n": "File Download",
        "d": site,
        "u": f"https://{site}.example/tin-tuc",
        "p": json.dumps({"url": url}),
        "k": number,
        **more,
    }
    headers = {"User-Agent": BROWSER}
    answer = httpx.post(f"{luot.ingest.url}/e", json=event, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.headers.get("X-Luot-Dropped", ""))


def downloads_when(luot: System, site: str, files: list[str], counts: list[int]) -> dict[str, Any]:
    """Return the numbers of a site as soon as its files have so many downloads."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        numbers = luot.counter(site, download=files)
        if [numbers["downloads"][file]["downloads"] for file in files] == counts:
            return numbers
        assert time.monotonic() < deadline, numbers
        time.sleep(0.1)


def stats(luot: System, route: str, **query: str) -> Any:
    answer = httpx.get(
        f"{luot.api.url}/api/v1/stats/{route}",
        params={"period": "7d", "metrics": "downloads", **query},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def test_a_click_on_a_file_is_a_download_and_nothing_else(luot: System) -> None:
    luot.add_site("kontum", excluded_pages=["/noi-bo/**"])
    luot.hit("kontum", "/tin-tuc")
    host = "https://kontum.example"
    for number in ("0.25", "0.25", "0.5"):
        assert not download(luot, "kontum", f"{host}{FILE}", number)
    # As other trackers send it: the properties as an object, the file relative to the page.
    assert not download(luot, "kontum", "bieu-mau.DOCX?v=2", "0.125", p={"url": "bieu-mau.DOCX"})
    for url, reason in {
        f"{host}/anh.jpg": "not_a_download",
        f"{host}/tin-tuc": "not_a_download",
        "https://foreign.example/a.pdf": "not_a_download",
        "https://[": "not_a_download",
        "": "not_a_download",
        f"{host}/noi-bo/ho-so/a.pdf": "excluded",
    }.items():
        assert download(luot, "kontum", url) == reason

    files = [FILE, "/bieu-mau.DOCX", "/anh.jpg", "/chua-co.pdf"]
    numbers = downloads_when(luot, "kontum", files, [2, 1, 0, 0])
    assert numbers["downloads"][FILE] == {"downloads": 2, "today": 2}
    assert "paths" not in numbers
    luot.counter_when("kontum", total=1)
    luot.online_when("kontum", 1)
    views = luot.counter("kontum", metric="views", path=[FILE, "/tin-tuc"], download=FILE)
    assert (views["total"], views["today"]) == (1, 1)
    assert [views["paths"][path]["views"] for path in (FILE, "/tin-tuc")] == [0, 1]
    assert views["downloads"][FILE]["downloads"] == 2

    assert stats(luot, "aggregate", site_id="kontum") == {"downloads": {"value": 3}}
    assert stats(luot, "breakdown", site_id="kontum", property="event:page") == [
        {"page": FILE, "downloads": 2},
        {"page": "/bieu-mau.DOCX", "downloads": 1},
    ]
    pages = stats(luot, "breakdown", site_id="kontum", property="event:page", metrics="pageviews")
    assert pages == [{"page": "/tin-tuc", "pageviews": 1}]


def test_a_site_says_which_files_count(luot: System) -> None:
    luot.add_site("lamdong", download_endings=[".MP3"])
    luot.add_site("laocai", download_endings=["none"], views_only=True)
    assert not download(luot, "lamdong", "/loa.mp3")
    assert download(luot, "lamdong", FILE) == "not_a_download"
    assert download(luot, "laocai", FILE) == "not_a_download"
    downloads_when(luot, "lamdong", ["/loa.mp3", FILE], [1, 0])


def test_a_site_that_counts_views_only_counts_downloads(luot: System) -> None:
    luot.add_site("yenbai", views_only=True)
    for number in ("0.1", "0.2", "0.3"):
        assert not download(luot, "yenbai", FILE, number)
    numbers = downloads_when(luot, "yenbai", [FILE], [3])
    assert (numbers["total"], numbers["online"]) == (0, 0)


def test_a_page_that_is_excluded_counts_nowhere(luot: System) -> None:
    luot.add_site("camau", excluded_pages=["/quan-tri/**", "/in/*"])
    dropped = [
        luot.hit("camau", path).headers.get("X-Luot-Dropped")
        for path in ("/quan-tri/a/b", "/in/7", "/in/7/8", "/quan-tri")
    ]
    assert dropped == ["excluded", "excluded", None, None]
    luot.counter_when("camau", total=2, metric="views")


def test_too_many_files_and_what_is_no_path_are_refused(luot: System) -> None:
    luot.add_site("bacninh")
    url = f"{luot.api.url}/api/counter/bacninh"
    many = httpx.get(url, params={"download": [f"/{n}.pdf" for n in range(101)]})
    assert (many.status_code, list(many.json()["errors"])) == (400, ["download"])
    both = httpx.get(
        url,
        params={
            "download": [f"/{n}.pdf" for n in range(100)],
            "path": [f"/{n}" for n in range(100)],
            "metric": "views",
        },
    )
    assert both.status_code == 200
    assert len(both.json()["downloads"]) == len(both.json()["paths"]) == 100
    assert httpx.get(url, params={"download": "a.pdf"}).status_code == 400
    wrong = httpx.get(
        f"{luot.api.url}/api/v1/stats/aggregate",
        params={"site_id": "bacninh", "metrics": "downloads,visits"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["metrics"])
