"""Requests, their answers, and what is in the log afterwards."""

import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.ingest.http import MAX_BODY
from services.ingest.site_lookup import MAX_NAMES
from services.model.calendar import to_date
from services.model.hit import UNKNOWN_PATH, Hit, Visit
from services.model.site import Site
from tests.integration.ingest.conftest import CHROME, SITE, Browser, Hand, Log, OpenIngest
from tests.unit.enrich import mmdb

URL = "https://mytho.example/tin-tuc/index.html?tabid=7&x=1"


async def test_a_hit_is_in_the_log_when_it_is_answered(
    browser: Browser, log: Log, clock: Hand
) -> None:
    answer = await browser.view(URL)
    assert (answer.status_code, answer.text) == (202, "ok")
    assert "x-luot-dropped" not in answer.headers
    (hit,) = log.hits()
    assert hit == Hit(
        site="mytho",
        path="/tin-tuc?tabid=7",
        at=clock.ms,
        day=hit.day,
        visitor=hit.visitor,
        host="mytho.example",
        device="desktop",
        browser="Chrome",
        os="Windows",
    )
    assert to_date(hit.day) == date(2023, 11, 15)
    assert hit.visitor != 0


@pytest.mark.parametrize("path", ["/api/event", "/e"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
async def test_both_addresses_take_both_content_types(
    browser: Browser, log: Log, path: str, content_type: str
) -> None:
    answer = await browser.http.post(
        path,
        content=msgspec.json.encode({"name": "pageview", "url": URL, "domain": "mytho"}),
        headers={"content-type": content_type},
    )
    assert answer.status_code == 202
    assert len(log.hits()) == 1


async def test_an_image_counts_where_scripts_are_stripped(browser: Browser, log: Log) -> None:
    answer = await browser.http.get("/hit.gif?d=mytho", headers={"referer": URL})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) == 43
    assert [hit.path for hit in log.hits()] == ["/tin-tuc?tabid=7"]


async def test_the_page_and_referrer_of_an_image_may_be_given(browser: Browser, log: Log) -> None:
    await browser.http.get(
        "/hit.gif", params={"d": "mytho", "u": "https://mytho.example/a", "r": "https://b.example/"}
    )
    assert [(hit.path, hit.source) for hit in log.hits()] == [("/a", "b.example")]


async def test_a_hit_keeps_what_its_link_says_of_a_campaign(browser: Browser, log: Log) -> None:
    url = "https://mytho.example/a?utm_source=zalo&utm_medium=cpc&utm_campaign=he&utm_content=b"
    await browser.http.get("/hit.gif", params={"d": "mytho", "u": f"{url}&utm_term=c"})
    (hit,) = log.hits()
    assert (hit.path, hit.source) == ("/a", "zalo")
    assert (hit.utm_medium, hit.utm_campaign) == ("cpc", "he")
    assert (hit.utm_content, hit.utm_term, hit.utm_source) == ("b", "c", "zalo")


async def test_a_hit_keeps_the_province_of_its_address_and_nothing_finer(
    open_ingest: OpenIngest, log: Log, tmp_path: Path
) -> None:
    file = tmp_path / "cities.mmdb"
    record: mmdb.Value = {
        "country": {"iso_code": "VN"},
        "subdivisions": [{"names": {"en": "Dong Thap"}}],
        "city": {"names": {"en": "My Tho"}},
    }
    mmdb.write(file, {"203.0.113.0/24": record})
    async with open_ingest(country_database=file) as browser:
        assert (await browser.view(URL)).status_code == 202
    async with open_ingest("198.51.100.1", country_database=file) as browser:
        assert (await browser.view(URL)).status_code == 202
    found = log.hits()
    assert [(hit.country, hit.region) for hit in found] == [("VN", "VN-45"), ("", "")]
    assert "My Tho" not in str(found)


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize("agent", [FIREFOX, SAFARI])
async def test_a_page_that_the_browser_does_not_name_is_not_taken_for_the_home_page(
    browser: Browser, log: Log, agent: str
) -> None:
    named = {"user-agent": agent, "sec-fetch-site": "cross-site"}
    for referer in ("https://mytho.example/", "https://mytho.example"):
        await browser.http.get("/hit.gif?d=mytho", headers={**named, "referer": referer})
    assert [hit.path for hit in log.hits()] == [UNKNOWN_PATH, UNKNOWN_PATH]


@pytest.mark.parametrize(
    ("query", "agent", "fetched"),
    [
        ("d=mytho", CHROME, "cross-site"),
        ("d=mytho", FIREFOX, "same-site"),
        ("d=mytho&u=/", FIREFOX, "cross-site"),
        ("d=mytho&u=https%3A%2F%2Fmytho.example%2F", FIREFOX, "cross-site"),
    ],
)
async def test_the_home_page_is_the_home_page_where_that_is_known(
    browser: Browser, log: Log, query: str, agent: str, fetched: str
) -> None:
    headers = {"referer": "https://mytho.example/", "user-agent": agent, "sec-fetch-site": fetched}
    await browser.http.get(f"/hit.gif?{query}", headers=headers)
    assert [hit.path for hit in log.hits()] == ["/"]


@pytest.mark.parametrize("headers", [{"referer": "https://www.mytho.example/"}, {}])
async def test_an_image_may_name_its_page_by_the_path_that_a_portal_knows(
    browser: Browser, log: Log, headers: dict[str, str]
) -> None:
    for page in ("/tin/b%C3%A0i-1?tabid=7", "/?x=1"):
        params = {"d": "mytho", "u": page}
        answer = await browser.http.get("/hit.gif", params=params, headers=headers)
        assert answer.status_code == 200
    assert [hit.path for hit in log.hits()] == ["/tin/bài-1?tabid=7", "/"]
    assert {hit.host.removeprefix("www.") for hit in log.hits()} == {"mytho.example"}


async def test_the_code_of_a_template_that_nothing_has_run_is_not_a_page(
    browser: Browser, log: Log
) -> None:
    params = {"d": "mytho", "u": "<?php echo rawurlencode($_SERVER['REQUEST_URI']); ?>"}
    await browser.http.get("/hit.gif", params=params, headers={"referer": URL})
    assert [hit.path for hit in log.hits()] == ["/tin-tuc?tabid=7"]


@pytest.mark.parametrize("headers", [{"referer": URL}, {}])
async def test_who_asks_for_the_head_of_an_image_finds_it_and_is_not_counted(
    browser: Browser, log: Log, headers: dict[str, str]
) -> None:
    head = await browser.http.head("/hit.gif?d=mytho", headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert log.hits() == []
    image = await browser.http.get("/hit.gif?d=mytho", headers={"referer": URL})
    assert head.headers == image.headers
    assert len(log.hits()) == 1


async def test_an_unreadable_image_request_is_still_an_image(browser: Browser, log: Log) -> None:
    answer = await browser.http.get("/hit.gif?d=mytho")
    assert (answer.status_code, len(answer.content)) == (400, 43)
    assert answer.headers["x-luot-dropped"] == "unreadable"
    long = await browser.http.get(f"/hit.gif?d=mytho&u={'x' * MAX_BODY}")
    assert (long.status_code, len(long.content)) == (413, 43)
    assert log.hits() == []


@pytest.mark.parametrize(("page", "referer"), [("//[", URL), ("/x", "http://[")])
async def test_an_image_whose_page_is_no_address_is_unreadable(
    browser: Browser, log: Log, page: str, referer: str
) -> None:
    params = {"d": "mytho", "u": page}
    answer = await browser.http.get("/hit.gif", params=params, headers={"referer": referer})
    assert (answer.status_code, len(answer.content)) == (400, 43)
    assert answer.headers["x-luot-dropped"] == "unreadable"
    assert log.hits() == []


async def test_every_answer_may_be_read_from_any_page(browser: Browser) -> None:
    answers = [
        await browser.view(),
        await browser.view(site="nobody"),
        await browser.http.post("/e", content=b"{"),
        await browser.http.post("/e", content=b"x" * (MAX_BODY + 1)),
        await browser.http.get("/hit.gif?d=mytho"),
        await browser.http.options("/e"),
        await browser.http.get("/e"),
        await browser.http.get("/nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 400, 413, 400, 204, 405, 404]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "set-cookie" not in answer.headers
    for answer in (answers[2], answers[3], answers[6], answers[7]):
        assert list(answer.json()) == ["errors"]


async def test_a_preflight_allows_what_the_script_sends(browser: Browser) -> None:
    answer = await browser.http.options("/api/event")
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Content-Type" in answer.headers["access-control-allow-headers"]


async def test_a_wrong_method_is_told_the_right_ones(browser: Browser) -> None:
    answer = await browser.http.put("/api/event", content=b"{}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    answer = await browser.http.post("/hit.gif")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("url", "site", "headers", "reason"),
    [
        (URL, "nobody", {}, "unknown_site"),
        ("https://elsewhere.example/", "mytho", {}, "foreign_host"),
        ("https://evil-mytho.example/", "mytho", {}, "foreign_host"),
        (URL, "mytho", {"sec_purpose": "prefetch;prerender"}, "prefetch"),
        (URL, "mytho", {"purpose": "prefetch"}, "prefetch"),
    ],
)
async def test_a_dropped_hit_says_why_and_is_not_logged(
    browser: Browser, log: Log, url: str, site: str, headers: dict[str, str], reason: str
) -> None:
    answer = await browser.view(url, site, **headers)
    assert (answer.status_code, answer.text) == (202, "ok")
    assert answer.headers["x-luot-dropped"] == reason
    assert log.hits() == []


@pytest.mark.parametrize(
    ("before", "counts"),
    [
        (f"{URL}?page=2", False),
        ("https://mytho.example/khac", True),
        ("https://www.mytho.example/khac?page=2", True),
        ("javascript:0", True),
        ("", True),
    ],
)
async def test_a_change_of_the_query_is_a_view_only_of_another_page(
    browser: Browser, log: Log, before: str, counts: bool
) -> None:
    event = {"n": "pageview", "u": f"{URL}?page=3", "d": "mytho", "q": before}
    answer = await browser.http.post("/e", content=msgspec.json.encode(event))
    assert answer.status_code == 202
    assert answer.headers.get("x-luot-dropped") == (None if counts else "same_page")
    assert len(log.hits()) == counts


async def test_only_page_views_count(browser: Browser, log: Log) -> None:
    answer = await browser.http.post(
        "/e", content=msgspec.json.encode({"n": "download", "u": URL, "d": "mytho"})
    )
    assert answer.headers["x-luot-dropped"] == "not_a_pageview"
    assert log.hits() == []


async def test_a_bot_is_logged_with_its_tag(browser: Browser, log: Log) -> None:
    answer = await browser.view(URL, user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    assert answer.status_code == 202
    assert answer.headers["x-luot-dropped"] == "bot"
    assert [hit.bot for hit in log.hits()] == [True]


async def test_a_site_is_found_by_slug_by_host_or_by_the_page_itself(
    browser: Browser, log: Log
) -> None:
    for domain in ("mytho", "mytho.example", "WWW.Mytho.Example", "nobody,mytho", ""):
        answer = await browser.view(URL, domain)
        assert "x-luot-dropped" not in answer.headers, domain
    assert len(log.hits()) == 5


async def test_one_person_is_one_visitor_and_two_are_two(
    browser: Browser, log: Log, open_ingest: OpenIngest
) -> None:
    await browser.view()
    await browser.view("https://mytho.example/b")
    await browser.view(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Firefox/121.0")
    async with open_ingest(address="203.0.113.10") as neighbour:
        await neighbour.view()
    visitors = [hit.visitor for hit in log.hits()]
    assert len(visitors) == 4
    assert len(set(visitors)) == 3


async def test_a_reader_whose_ipv6_address_changes_within_its_network_is_one_visitor(
    log: Log, open_ingest: OpenIngest
) -> None:
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:a1b2:c3d4:e5f6:7788", "2001:db8:1:3::1"):
        async with open_ingest(address="127.0.0.1") as proxied:
            await proxied.view(x_forwarded_for=address)
    visitors = [hit.visitor for hit in log.hits()]
    assert len(visitors) == 3
    assert len(set(visitors)) == 2


async def test_two_ingest_processes_know_a_visitor_by_the_same_number(
    browser: Browser, log: Log, open_ingest: OpenIngest
) -> None:
    await browser.view()
    async with open_ingest() as other:
        await other.view()
    one, two = log.hits()
    assert one.visitor == two.visitor


async def test_a_view_keeps_its_number_when_its_request_is_repeated_to_another_process(
    browser: Browser, log: Log, open_ingest: OpenIngest
) -> None:
    event = {"n": "pageview", "u": URL, "d": "mytho", "r": ""}
    number = {"k": 0.7310585786300049}
    async with open_ingest() as other:
        for one in (browser, other):
            await one.http.post("/api/event", content=msgspec.json.encode(event | number))
        await other.http.get("/hit.gif", params={**event, **number})
    (view_id,) = {hit.view_id for hit in log.hits()}
    assert view_id == int(0.7310585786300049 * 2**53)


@pytest.mark.parametrize("number", [None, 0, 1, -0.5, 7, "x", True, [], {"a": 1}, 1e-300, 10**400])
async def test_what_other_scripts_send_as_a_number_is_ignored(
    browser: Browser, log: Log, number: object
) -> None:
    event = {"n": "pageview", "u": URL, "d": "mytho", "k": number}
    answer = await browser.http.post("/api/event", content=json.dumps(event))
    assert answer.status_code == 202
    assert log.hits()[0].view_id == 0


async def test_a_visitor_is_somebody_else_after_the_sites_midnight(
    browser: Browser, log: Log, clock: Hand
) -> None:
    clock.ms = 1_704_041_999_000
    await browser.view()
    clock.ms += 2000
    await browser.view()
    before, after = log.hits()
    assert [to_date(hit.day) for hit in (before, after)] == [date(2023, 12, 31), date(2024, 1, 1)]
    assert before.visitor != after.visitor


async def test_who_asks_not_to_be_tracked_counts_without_a_hash(browser: Browser, log: Log) -> None:
    await browser.view(dnt="1")
    await browser.view(sec_gpc="1")
    await browser.view(dnt="0")
    nobody, nobody_either, somebody = (hit.visitor for hit in log.hits())
    assert (nobody, nobody_either) == (0, 0)
    assert somebody != 0


@pytest.mark.parametrize(
    ("referrer", "visit"),
    [
        ("", Visit.STARTS),
        ("https://www.google.com/", Visit.STARTS),
        ("https://mytho.example/tin-tuc", Visit.CONTINUES),
        ("https://www.mytho.example/", Visit.CONTINUES),
    ],
)
async def test_who_asks_not_to_be_tracked_starts_a_visit_by_coming_from_elsewhere(
    browser: Browser, log: Log, referrer: str, visit: Visit
) -> None:
    for method in ("POST", "GET"):
        event = {"n": "pageview", "u": URL, "d": "mytho", "r": referrer}
        if method == "POST":
            body = msgspec.json.encode(event)
            await browser.http.post("/api/event", content=body, headers={"sec-gpc": "1"})
        else:
            await browser.http.get("/hit.gif", params=event, headers={"sec-gpc": "1"})
    assert [(hit.visitor, hit.visit) for hit in log.hits()] == [(0, visit)] * 2


async def test_an_image_that_does_not_know_the_page_before_starts_no_visit(
    browser: Browser, log: Log
) -> None:
    await browser.http.get("/hit.gif?d=mytho", headers={"referer": URL, "dnt": "1"})
    await browser.http.get("/hit.gif?d=mytho", headers={"referer": URL})
    await browser.view(dnt="1", user_agent="Googlebot/2.1")
    assert [hit.visit for hit in log.hits()] == [Visit.UNDECIDED] * 3


async def test_a_site_may_choose_not_to_honour_the_wish(log: Log, open_ingest: OpenIngest) -> None:
    log.publish(Site(slug="plain", hosts=("plain.example",), honour_dnt=False))
    async with open_ingest() as browser:
        await browser.view("https://plain.example/", "plain", dnt="1")
    assert log.hits()[0].visitor != 0


async def test_a_site_of_views_only_knows_nobody(log: Log, open_ingest: OpenIngest) -> None:
    log.publish(Site(slug="dem", hosts=("dem.example",), views_only=True, honour_dnt=False))
    async with open_ingest(rate_burst=3, rate_per_minute=60) as browser:
        answers = [await browser.view("https://dem.example/", "dem") for _ in range(4)]
    assert [(hit.visitor, hit.visit) for hit in log.hits()] == [(0, Visit.UNDECIDED)] * 3
    assert answers[-1].headers["x-luot-dropped"] == "rate"


async def test_a_site_of_views_only_limits_a_reader_whose_ipv6_address_changes(
    log: Log, open_ingest: OpenIngest
) -> None:
    log.publish(Site(slug="dem", hosts=("dem.example",), views_only=True))
    async with open_ingest(address="127.0.0.1", rate_burst=3, rate_per_minute=60) as browser:
        for number in range(4):
            header = {"x-forwarded-for": f"2001:db8::{number + 1}"}
            answer = await browser.view("https://dem.example/", "dem", **header)
        other = await browser.view("https://dem.example/", "dem", x_forwarded_for="2001:db8:1::1")
    assert answer.headers["x-luot-dropped"] == "rate"
    assert "x-luot-dropped" not in other.headers


async def test_an_event_names_no_more_sites_than_are_looked_up(browser: Browser, log: Log) -> None:
    for unknown, reason in ((MAX_NAMES - 1, None), (MAX_NAMES, "unknown_site")):
        answer = await browser.view(site=",".join([*["é.example"] * unknown, "mytho"]))
        assert answer.status_code == 202
        assert answer.headers.get("x-luot-dropped") == reason
    assert len(log.hits()) == 1


async def test_a_name_that_is_too_long_for_a_host_names_no_site(
    log: Log, open_ingest: OpenIngest
) -> None:
    log.publish(Site(slug="tinh", hosts=("*.tinh.example",)))
    async with open_ingest() as browser:
        for labels, reason in ((120, None), (121, "unknown_site"), (3500, "unknown_site")):
            # 240 characters and 12 are 252; the longest name of a host has 253.
            answer = await browser.view("https://a.tinh.example/", "a." * labels + "tinh.example")
            assert answer.status_code == 202
            assert answer.headers.get("x-luot-dropped") == reason
    assert len(log.hits()) == 1


async def test_behind_a_trusted_proxy_the_client_is_whom_it_names(
    log: Log, open_ingest: OpenIngest, browser: Browser
) -> None:
    await browser.view()
    async with open_ingest(address="127.0.0.1") as proxied:
        await proxied.view(x_forwarded_for="6.6.6.6, 203.0.113.9")
    await browser.view(x_forwarded_for="6.6.6.6")
    assert len({hit.visitor for hit in log.hits()}) == 1


async def test_a_flood_of_one_visitor_is_dropped_and_others_still_count(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(rate_burst=3, rate_per_minute=60) as browser:
        answers = [await browser.view() for _ in range(5)]
        other = await browser.view(user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0")
    reasons = [answer.headers.get("x-luot-dropped") for answer in answers]
    assert reasons == [None, None, None, "rate", "rate"]
    assert "x-luot-dropped" not in other.headers
    assert len(log.hits()) == 4


async def test_neither_address_nor_user_agent_reaches_redis(browser: Browser, log: Log) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; SecretPhone) Firefox/121.0"
    await browser.view(user_agent=agent)
    await browser.view(user_agent="SecretPhone-bot/1.0")
    for key in log.redis.scan_iter():
        stored = log.redis.dump(key)
        assert isinstance(stored, bytes)
        assert b"203.0.113.9" not in stored
        assert b"SecretPhone" not in stored
    assert len(log.hits()) == 2


async def test_a_salt_is_gone_after_two_days_and_is_no_two_days_the_same(
    browser: Browser, log: Log, clock: Hand
) -> None:
    await browser.view()
    clock.ms += 24 * 3600 * 1000
    await browser.view()
    salts = list(log.redis.scan_iter("salt:mytho:*"))
    assert len(salts) == 2
    assert len({log.redis.get(key) for key in salts}) == 2
    for key in salts:
        assert 0 < int(str(log.redis.ttl(key))) <= 48 * 3600


async def test_a_new_site_is_known_without_a_restart(browser: Browser, log: Log) -> None:
    newer = Site(slug="newer", hosts=("newer.example",))
    assert (await browser.view("https://newer.example/", "newer")).headers["x-luot-dropped"]
    log.publish(newer)
    await browser.ingest.maintain()
    answer = await browser.view("https://newer.example/", "newer")
    assert "x-luot-dropped" not in answer.headers


async def test_a_broken_site_leaves_the_others_and_its_last_good_copy(
    browser: Browser, log: Log
) -> None:
    for broken in (b"{", b"\xff", b'{"slug":"mytho","timezone":"Nowhere/Land"}'):
        log.redis.hset("sites", SITE.slug, broken)
        log.publish(Site(slug="other", hosts=("other.example",)))
        await browser.ingest.maintain()
        for site, host in (("mytho", "mytho.example"), ("other", "other.example")):
            answer = await browser.view(f"https://{host}/", site)
            assert "x-luot-dropped" not in answer.headers


async def test_the_process_tells_how_it_is(browser: Browser) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await browser.http.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    await browser.view()
    metrics = (await browser.http.get("/metrics")).text
    assert 'luot_hits_total{outcome="accepted"}' in metrics
    assert 'luot_request_seconds_bucket{code="202"' in metrics
