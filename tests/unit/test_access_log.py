"""Access logs and the rule of what a page is."""

import gzip
import sys
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from services.access_log.line import LogLine
from services.access_log.page_filter import NotAPage, is_page, not_a_page
from services.access_log.parser import MAX_LINE, AccessLog, AccessLogError
from services.enrich.bots import Bots
from tests.integration.access_log import COMPOSED, REAL
from tests.require import beside

COMBINED = (
    '192.0.2.7 - - [31/Dec/2025:23:59:59 +0700] "GET /tin-tuc?id=1 HTTP/1.1" 200 512'
    ' "https://www.google.com/" "Mozilla/5.0 (X11; Linux x86_64)"\n'
)
COMMON = '192.0.2.8 - - [01/Jan/2026:00:00:01 +0700] "GET / HTTP/1.0" 304 -\n'


def read(path: Path, text: str | bytes) -> tuple[AccessLog, list[LogLine]]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with AccessLog(path) as log:
        return log, list(log)


def line(
    target: str = "/", *, method: str = "GET", status: int = 200, user_agent: str = "Mozilla/5.0"
) -> LogLine:
    return LogLine(method, target, status, "", user_agent, "192.0.2.1", 0)


def test_a_combined_line_is_read_with_its_own_time_zone(tmp_path: Path) -> None:
    _, (found,) = read(tmp_path / "log", COMBINED)
    assert found == LogLine(
        method="GET",
        target="/tin-tuc?id=1",
        status=200,
        referrer="https://www.google.com/",
        user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        address="192.0.2.7",
        at=int(datetime(2025, 12, 31, 16, 59, 59, tzinfo=UTC).timestamp() * 1000),
    )


def test_a_common_line_has_no_referrer_and_no_user_agent(tmp_path: Path) -> None:
    _, (found,) = read(tmp_path / "log", COMMON)
    assert (found.address, found.status, found.referrer, found.user_agent) == (
        "192.0.2.8",
        304,
        "",
        "",
    )


def test_a_log_may_change_its_format_half_way(tmp_path: Path) -> None:
    log, found = read(tmp_path / "log", COMBINED + COMMON + COMBINED)
    assert [one.address for one in found] == ["192.0.2.7", "192.0.2.8", "192.0.2.7"]
    assert log.broken == 0


def test_escaped_bytes_become_vietnamese_again(tmp_path: Path) -> None:
    escaped = "".join(f"\\x{byte:02x}" for byte in "tỉnh".encode())
    _, (found,) = read(tmp_path / "log", COMBINED.replace("/tin-tuc?id=1", f"/{escaped}"))
    assert found.target == "/tỉnh"


@pytest.mark.parametrize(
    "broken",
    [
        "not a log line\n",
        COMBINED.replace("31/Dec", "31/Feb"),
        COMBINED[:100] + "\n",
        "\0\0\0\0\n",
        "x" * (MAX_LINE * 3) + "\n",
        COMBINED.replace("/tin-tuc", "/" + "x" * MAX_LINE),
    ],
)
def test_a_broken_line_is_counted_and_the_next_one_read(tmp_path: Path, broken: str) -> None:
    log, found = read(tmp_path / "log", broken + COMMON)
    assert (log.lines, log.broken, len(found)) == (2, 1, 1)


@pytest.mark.parametrize("request_line", ["-", "\\x16\\x03\\x01", "GET /a b HTTP/1.1", "GET /"])
def test_a_line_without_a_request_is_read_and_no_page(tmp_path: Path, request_line: str) -> None:
    log, found = read(
        tmp_path / "log", COMBINED.replace("GET /tin-tuc?id=1 HTTP/1.1", request_line)
    )
    assert log.broken == 0
    assert [not_a_page(one) for one in found] == [NotAPage.REQUEST]


def test_bytes_that_are_not_utf_8_do_not_stop_the_log(tmp_path: Path) -> None:
    raw = COMBINED.encode().replace(b"/tin-tuc", b"/\xff\xfe")
    _, found = read(tmp_path / "log", raw)
    assert found[0].target == "/\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}?id=1"


def test_a_compressed_log_is_recognised_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    log, found = read(tmp_path / "log", gzip.compress((COMBINED * 3).encode()))
    assert len(found) == 3
    assert log.bytes_read == log.size


def test_a_compressed_log_cut_short_says_where(tmp_path: Path) -> None:
    packed = gzip.compress((COMBINED * 3).encode())
    (tmp_path / "log").write_bytes(packed[:-10])
    with AccessLog(tmp_path / "log") as log, pytest.raises(AccessLogError, match="is damaged"):
        list(log)


def test_a_log_comes_from_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(gzip.compress(COMBINED.encode()))))
    with AccessLog("-") as log:
        assert len(list(log)) == 1
        assert log.size is None


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessLogError, match=r"access\.log cannot be read: No such file"):
        AccessLog(tmp_path / "access.log")


@pytest.mark.parametrize(
    "target",
    ["/", "/tin-tuc", "/a.html", "/bai-viet.aspx?tabid=3", "/v1.2/", "/tin?page=2", "/.", "//x"],
)
def test_a_page(target: str) -> None:
    assert is_page(line(target))


@pytest.mark.parametrize(
    "target",
    [
        "/favicon.ico",
        "//favicon.ico",
        "/robots.txt",
        "/logo.PNG",
        "/app.js?v=3",
        "/style.css",
        "/font.woff2",
        "/feed/",
        "/tin-tuc/rss",
        "/blog/tags/puppet?flav=rss20",
        "/?feed=atom",
        "/quyet-dinh.pdf",
        "/video.mp4",
        "/backup.tar.gz",
        "http://[broken/",
    ],
)
def test_not_a_page(target: str) -> None:
    assert not is_page(line(target))


@pytest.mark.parametrize(
    "target",
    [
        "/DependencyHandler.axd/1/2/css",
        "/portal/WebResource.axd?d=1",
        "/DesktopModules/Thongke/API/Counter/Get",
        "/vi/DesktopModules/MVC/Thongke/API/Counter/Get",
        "/API/PersonaBar/Menu",
        "/vanban/_vti_bin/Lists.asmx",
        "/combo/?minifierType=js",
        "/html/js/barebone.jsp",
        "/image/layout_set_logo?img_id=1",
        "/c/portal/update_session",
        "/web/mytho/tin-tuc?p_p_id=vn&p_p_lifecycle=2&p_p_resource_id=x",
        "/o/frontend-js-web/loader",
        "/index.php?second=cronjobs&p=1",
        "/index.php?scaptcha=captcha",
        "/index.php?option=com_ajax&module=vvisit&format=json",
        "/index.php?option=com_content&view=article&id=1&tmpl=component",
        "/component/ajax/?plugin=x",
        "/wp-json/wp/v2/posts",
        "/blog/wp-admin/admin-ajax.php?action=heartbeat",
        "/?_wrapper_format=drupal_modal",
        "/.well-known/traffic-advice",
    ],
)
def test_parts_of_pages_and_services_are_no_pages(target: str) -> None:
    assert not_a_page(line(target)) is NotAPage.PART


@pytest.mark.parametrize(
    "target",
    [
        "/van-ban/qd-12.PDF",
        "/Portals/0/bao-cao.docx?ver=2",
        "/documents/10180/20/van-ban.xlsx/5a1b2c3d-0000-1111-2222-333344445555?t=3",
        "/a.pdf;jsessionid=1",
        "/LinkClick.aspx?fileticket=abc&tabid=1",
        "/c/document_library/get_file?uuid=1",
    ],
)
def test_documents_are_downloads(target: str) -> None:
    assert not_a_page(line(target)) is NotAPage.DOWNLOAD


@pytest.mark.parametrize(
    "target",
    [
        "/Default.aspx?tabid=63&language=vi-VN",
        "/c/portal/layout?p_l_id=10",
        "/web/guest/tin?p_p_id=56&p_p_lifecycle=0&p_p_state=normal",
        "/index.php?option=com_content&view=article&id=1",
        "/index.php?language=vi&nv=news&op=tin",
        "/en/history",
        "/sitemap",
        "/tin/data/bai-viet",
        "/thu-vien/media/video-hoi-nghi",
        "/documents/van-ban-moi",
        "/tin/anh-1.jpg.html",
        "/node/12?page=2",
        "/tim-kiem?q=format",
    ],
)
def test_pages_with_names_like_those_of_parts_are_pages(target: str) -> None:
    assert is_page(line(target))


@pytest.mark.parametrize(
    ("name", "views", "bots"),
    [
        ("liferay_page.log", 1, 0),
        ("nukeviet_page.log", 1, 0),
        ("joomla_page.log", 1, 0),
        ("iis_w3c.log", 2, 0),
        ("monitors.log", 0, 12),
    ],
)
def test_logs_of_systems_have_the_pages_that_were_read(name: str, views: int, bots: int) -> None:
    judge = Bots()
    with AccessLog(beside(REAL.parent / "logs" / name)) as log:
        pages = [judge.is_bot(one.user_agent) for one in log if is_page(one)]
    assert (pages.count(False), pages.count(True)) == (views, bots)


@pytest.mark.parametrize(
    ("method", "status", "page"),
    [
        ("GET", 200, True),
        ("GET", 304, True),
        ("GET", 301, False),
        ("GET", 404, False),
        ("GET", 500, False),
        ("POST", 200, False),
        ("HEAD", 200, False),
    ],
)
def test_only_pages_that_were_shown_count(method: str, status: int, page: bool) -> None:
    assert is_page(line(method=method, status=status)) is page


def test_a_bot_is_left_to_ingest() -> None:
    assert is_page(line(user_agent="Googlebot/2.1"))


@pytest.mark.parametrize(
    ("path", "lines", "pages"),
    [(COMPOSED, 327, 216), (REAL, 10_000, 3001)],
    ids=["composed", "real"],
)
def test_a_whole_log_has_its_pages_and_at_most_one_broken_line(
    path: Path, lines: int, pages: int
) -> None:
    with AccessLog(beside(path)) as log:
        found = sum(map(is_page, log))
    assert log.lines == lines
    assert log.broken <= 1
    assert found == pages
