"""Nobody can fill the store with invented paths."""

from services.model.hit import OTHER_PATH
from tests.integration.ingest.conftest import Browser, Hand, Log, OpenIngest

GOOGLEBOT = "Googlebot/2.1"


async def see(browser: Browser, *paths: str) -> None:
    for path in paths:
        await browser.view(f"https://mytho.example{path}")


def paths_of(log: Log) -> list[str]:
    return [hit.path for hit in log.hits()]


async def test_paths_over_the_limit_are_counted_together(
    log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with open_ingest(max_paths=2) as browser:
        await see(browser, "/a", "/b", "/c", "/a", "/d", "/b")
    assert paths_of(log) == ["/a", "/b", OTHER_PATH, "/a", OTHER_PATH, "/b"]


async def test_a_restart_does_not_open_the_limit_again(log: Log, open_ingest: OpenIngest) -> None:
    async with open_ingest(max_paths=2) as browser:
        await see(browser, "/a", "/b")
    async with open_ingest(max_paths=2) as browser:
        await see(browser, "/c", "/a")
    assert paths_of(log) == ["/a", "/b", OTHER_PATH, "/a"]


async def test_two_processes_share_one_limit(log: Log, open_ingest: OpenIngest) -> None:
    async with open_ingest(max_paths=2) as one, open_ingest(max_paths=2) as two:
        await see(one, "/a")
        await see(two, "/b")
        await one.ingest.maintain()
        await two.ingest.maintain()
        await see(two, "/c", "/a", "/b")
        await two.ingest.maintain()
    assert paths_of(log) == ["/a", "/b", OTHER_PATH, "/a", "/b"]


async def test_a_new_day_has_room_again(log: Log, open_ingest: OpenIngest, clock: Hand) -> None:
    async with open_ingest(max_paths=1) as browser:
        await see(browser, "/a", "/b")
        clock.ms += 24 * 3600 * 1000
        await see(browser, "/b", "/a")
    assert paths_of(log) == ["/a", OTHER_PATH, "/b", OTHER_PATH]


async def test_a_crawler_does_not_use_up_the_paths_of_people(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(max_paths=1) as browser:
        await browser.view("https://mytho.example/crawled", user_agent=GOOGLEBOT)
        await see(browser, "/a")
    assert paths_of(log) == ["/crawled", "/a"]
