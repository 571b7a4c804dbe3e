"""Replayed and simulated page views, before they are sent."""

from collections import Counter
from ipaddress import ip_address

from services.access_log.line import LogLine
from services.traffic.replay import page_views
from services.traffic.simulate import NETWORKS, visitors

PATHS = ["/demo", "/demo/tin-tuc", "/demo/lien-he", "/demo/ban-do"]


def line(target: str, at: int, address: str = "192.0.2.1") -> LogLine:
    return LogLine("GET", target, 200, "https://a.example/", "Firefox", address, at)


def test_a_replay_keeps_the_pace_of_the_log_times_the_speed() -> None:
    log = [line("/a", 10_000), line("/b.png", 11_000), line("/c", 30_000), line("/late", 29_000)]
    assert [view.after for view in page_views(log, host="h", speed=10)] == [0.0, 2.0, 1.9]
    assert [view.after for view in page_views(log, host="h")] == [0.0, 0.0, 0.0]


def test_a_replay_sends_the_page_as_the_browser_of_the_log_would() -> None:
    (view,) = page_views([line("/tin?id=1", 0)], host="mytho.example")
    assert view.url == "https://mytho.example/tin?id=1"
    assert (view.referrer, view.user_agent, view.address) == (
        "https://a.example/",
        "Firefox",
        "192.0.2.1",
    )


def test_a_limit_counts_pages_not_lines() -> None:
    log = [line("/a.css", 0), line("/a", 0), line("/b.css", 0), line("/b", 0), line("/c", 0)]
    assert [view.url for view in page_views(log, host="h", limit=2)] == [
        "https://h/a",
        "https://h/b",
    ]


def test_a_looked_up_host_name_is_one_visitor_with_one_private_address() -> None:
    first, second, other = page_views(
        [line("/", 0, name) for name in ("a.isp.example", "a.isp.example", "b.isp.example")],
        host="h",
    )
    assert first.address == second.address != other.address
    assert ip_address(first.address).is_private


def test_the_same_seed_gives_the_same_traffic() -> None:
    again = visitors(50, 10, PATHS, host="demo", seed=7)
    assert visitors(50, 10, PATHS, host="demo", seed=7) == again
    assert visitors(50, 10, PATHS, host="demo", seed=8) != again


def test_visitors_come_in_the_given_time_in_order() -> None:
    times = [view.after for view in visitors(200, 10, PATHS, host="demo", seed=1)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= 10


def test_visitors_all_at_once_still_read_in_order() -> None:
    views = visitors(200, 0, PATHS, host="demo", seed=1)
    assert {view.after for view in views} == {0.0}
    assert 2.5 < len(views) / 200 < 3.5
    known: set[str] = set()
    for view in views:
        from_portal = view.referrer.startswith("https://demo/")
        assert from_portal == (view.address in known)
        known.add(view.address)


def test_popular_pages_come_first_and_every_page_is_read() -> None:
    count = Counter(view.url for view in visitors(2000, 60, PATHS, host="demo", seed=1))
    assert [url for url, _ in count.most_common()] == [f"https://demo{path}" for path in PATHS]


def test_each_visitor_has_an_address_of_its_own_that_is_nobodys() -> None:
    views = visitors(1000, 60, PATHS, host="demo", seed=1)
    addresses = {view.address for view in views}
    assert len(addresses) == 1000
    assert all(any(ip_address(one) in network for network in NETWORKS) for one in addresses)


def test_some_visitors_are_bots_and_most_are_on_phones() -> None:
    agents = Counter(view.user_agent for view in visitors(3000, 60, PATHS, host="demo", seed=1))
    total = agents.total()
    assert 0.01 < sum(n for agent, n in agents.items() if "bot" in agent) / total < 0.06
    assert sum(n for agent, n in agents.items() if "Mobile" in agent) / total > 0.4
