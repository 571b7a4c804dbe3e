"""`luot snippet` prints what a portal needs, as the running Luot says."""

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx
import pytest

from services import __version__
from services.widget import scripts
from tests.servers.up import Up, luot


class Tags(HTMLParser):
    """The tags of a text, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "data", LANG="vi_VN.UTF-8", LC_ALL="")
    yield running
    assert running.end() == 0


def test_it_prints_tags_that_load(up: Up) -> None:
    done = luot("snippet", "demo", "--data", str(up.data))
    assert done.returncode == 0, done.stderr
    tags = [told for tag, told in Tags(done.stdout).found if tag == "script" and "src" in told]
    assert [tag["data-site"] for tag in tags] == ["demo", "demo"]
    for tag in tags:
        answer = up.http.get(str(tag["src"]))
        assert answer.status_code == 200
        assert tag.get("integrity") in (None, scripts.integrity(answer.content))
        assert ("integrity" in tag) == (tag.get("crossorigin") == "anonymous")
    assert "<visitor-counter></visitor-counter>" in done.stdout
    assert f"connect-src {up.url}" in done.stdout


def test_both_commands_speak_vietnamese_where_the_environment_does(up: Up) -> None:
    printed = "".join(up.output)
    assert "Đang khởi động kho dữ liệu trong" in printed
    assert "Đăng nhập với tên admin và mật khẩu " in printed
    assert "Luot đã sẵn sàng: " in printed
    vietnamese = {"LANG": "vi_VN.UTF-8", "LC_ALL": ""}
    done = luot("snippet", "demo", "--data", str(up.data), **vietnamese)
    assert "<!-- 1. Script, trong phần head của mọi trang" in done.stdout
    assert "<visitor-counter></visitor-counter>" in done.stdout


def test_the_ways_without_a_script_are_there(up: Up) -> None:
    done = luot("snippet", "demo", "--json", LUOT_URL=up.url)
    told = json.loads(done.stdout)
    assert (told["site"], told["url"], told["version"]) == ("demo", up.url, __version__)
    for way, attribute, path in (
        ("image", "src", "/hit.gif"),
        ("image_alone", "src", "/hit.gif"),
        ("badge", "src", "/counter/demo.svg"),
        ("badge", "href", "/counter/demo.html"),
        ("frame", "src", "/counter/demo.html"),
    ):
        (tag,) = [
            dict(found) for name, found in Tags(told["ways"][way]).found if attribute in found
        ]
        assert urlsplit(str(tag[attribute])).path == path
        answer = up.http.get(str(tag[attribute]), headers={"Referer": "https://demo.example/tin"})
        assert answer.status_code == 200, way
    assert told["content_security_policy"] == {
        "script-src": up.url,
        "connect-src": up.url,
        "img-src": up.url,
        "frame-src": up.url,
        "trusted-types": "luot",
    }
    assert told["what_for"].keys() == told["ways"].keys()


def test_the_badge_has_the_size_that_it_is_drawn_with(up: Up) -> None:
    told = json.loads(luot("snippet", "demo", "--json", LUOT_URL=up.url).stdout)
    _, (name, image) = Tags(told["ways"]["badge"]).found
    svg = ElementTree.fromstring(up.http.get("/counter/demo.svg").text)
    assert name == "img"
    assert (image["width"], image["height"]) == (svg.get("width"), svg.get("height"))


def test_the_public_address_is_in_the_tags_and_the_settings_are_not(up: Up) -> None:
    done = luot(
        *("site", "add", "mytho", "--host", "mytho.example", "--preset", "dnn", "--digits", "11"),
        *("--heading", 'Số "liệu"', "--lines", "today,total", "--data", str(up.data)),
    )
    assert done.returncode == 0, done.stderr
    public = "https://thongke.example.vn"
    ways = json.loads(
        luot("snippet", "mytho", "--url", public, "--json", "--data", str(up.data)).stdout
    )["ways"]
    assert ways["block"] == "<visitor-counter></visitor-counter>"
    assert ways["script"] == (
        f'<script async src="{public}/counter.js" data-site="mytho"></script>'
    )


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("vi", ("Ảnh thay cho script", "từng dòng mà cổng đã có", "chép default-src")),
        (
            "en",
            ("instead of the script", "those of these lines that it has", "copy of default-src"),
        ),
    ],
)
def test_the_dashboard_shows_the_same_lines(up: Up, lang: str, said: tuple[str, ...]) -> None:
    told = json.loads(luot("snippet", "demo", "--json", LUOT_URL=up.url).stdout)
    ((name, password),) = re.findall(
        r"Đăng nhập với tên (\S+) và mật khẩu (\S+) ", "".join(up.output)
    )
    with httpx.Client(base_url=up.url, headers={"Accept-Language": lang}) as browser:
        signed = browser.post("/api/admin/sign-in", json={"name": name, "password": password})
        assert signed.status_code == 200
        page = browser.get("/admin/sites/demo/embed").text
    shown = [html.unescape(code) for code in re.findall(r"<code>(.*?)</code>", page, re.DOTALL)]
    assert shown[: len(told["ways"])] == list(told["ways"].values())
    assert all(words in page for words in said)


@pytest.mark.parametrize(
    ("site", "said"), [("no-such", "'no-such' is not a site"), ("../admin", "answers 404")]
)
def test_a_site_that_is_none_is_refused(up: Up, site: str, said: str) -> None:
    done = luot("snippet", site, "--data", str(up.data))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_luot_that_does_not_run_is_named(tmp_path: Path) -> None:
    done = luot("snippet", "demo", LUOT_URL="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    done = luot("snippet", "demo", "--data", str(tmp_path))
    assert "expected the data folder of `luot up`" in done.stderr
