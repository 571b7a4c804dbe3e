"""The first test to read: a browser reports a page view, and the number on the page grows."""

from tests.servers.system import System


def test_a_hit_becomes_a_number(luot: System) -> None:
    luot.add_site("mytho")

    first = luot.hit("mytho", "/tin-tuc/bai-1.html")
    assert (first.status_code, first.text) == (202, "ok")
    numbers = luot.counter_when("mytho", total=1)
    assert numbers["today"] == 1
    assert numbers["this_month"] == 1
    luot.online_when("mytho", 1)

    # The same visitor reads on: one more view, still one visit.
    luot.hit("mytho", "/tin-tuc/bai-2.html")
    numbers = luot.counter_when("mytho", total=2, metric="views")
    assert luot.counter("mytho")["total"] == 1

    # Somebody else comes: a second visit.
    luot.hit("mytho", "/tin-tuc/bai-2.html", **{"X-Forwarded-For": "203.0.113.7"})
    luot.counter_when("mytho", total=2)
    paths = ["/tin-tuc/bai-1.html", "/tin-tuc/bai-2.html", "/khong-co"]
    views = luot.counter("mytho", path=paths)["paths"]
    assert [views[path]["views"] for path in paths] == [1, 2, 0]


def test_paths_that_differ_in_case_are_one_page_where_the_site_says_so(luot: System) -> None:
    paths = ["/Tin-Tuc/Bài-1.ASPX", "/tin-tuc/bài-1.aspx", "/TIN-TUC/B%C3%80I-1.aspx"]
    for slug, fields in (("iis", {"fold_case": True}), ("unix", {})):
        luot.add_site(slug, **fields)
        for path in paths:
            luot.hit(slug, path)
        luot.counter_when(slug, total=3, metric="views")

    def views(slug: str) -> list[int]:
        pages = luot.counter(slug, path=paths)["paths"]
        return [pages[path]["views"] for path in paths]

    assert views("iis") == [3, 3, 3]
    assert views("unix") == [1, 1, 1]


def test_readers_who_ask_not_to_be_tracked_are_in_the_visits(luot: System) -> None:
    luot.add_site("hue")
    silent = {"DNT": "1", "Sec-GPC": "1"}
    luot.hit("hue", "/", **silent)
    luot.counter_when("hue", total=1)
    luot.hit("hue", "/tin", referrer="https://hue.example/", **silent)
    luot.hit("hue", "/tin", referrer="https://search.example/", **silent)
    luot.counter_when("hue", total=3, metric="views")
    assert luot.counter("hue")["total"] == 2
    assert luot.counter("hue", metric="visitors")["today"] == 0


def test_a_request_that_is_repeated_counts_once(luot: System) -> None:
    luot.add_site("vinh")
    for number in ("0.25", "0.25", "0.5", "0.25"):
        luot.hit("vinh", "/", number=number)
    luot.counter_when("vinh", total=2, metric="views")
    luot.hit("vinh", "/", number="0.75")
    luot.counter_when("vinh", total=3, metric="views")


def test_a_site_of_views_only_shows_views(luot: System) -> None:
    luot.add_site("dem", views_only=True)
    for number in ("0.1", "0.2", "0.3"):
        luot.hit("dem", "/", number=number)
    numbers = luot.counter_when("dem", total=3)
    assert numbers["metric"] == "views"
    for metric in ("visits", "visitors"):
        asked = luot.counter("dem", metric=metric)
        assert (asked["metric"], asked["total"]) == ("views", 3)
    luot.online_when("dem", 3)


def test_a_bot_is_told_and_does_not_count(luot: System) -> None:
    luot.add_site("danang")
    crawler = {
        "User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    }
    answer = luot.hit("danang", "/", **crawler)
    assert (answer.status_code, answer.headers["X-Luot-Dropped"]) == (202, "bot")
    luot.hit("danang", "/")
    numbers = luot.counter_when("danang", total=1, metric="views")
    assert numbers["today"] == 1
    luot.online_when("danang", 1)
    luot.online_when("danang", 1, who="bots")
