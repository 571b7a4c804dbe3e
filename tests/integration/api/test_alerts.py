"""Alerts go out by e-mail once, when something begins and when it is over."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from io import BytesIO
from itertools import cycle
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openpyxl import load_workbook
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.api.sites.alerts.service import TEST_SECONDS
from services.api.sites.alerts.telling import AlertTeller
from services.log import keys
from services.log.redis import entry_ids
from services.model.calendar import to_day
from services.model.partition import partition_of
from services.state import keys as state_keys
from services.state.state import State
from services.store.counts import import_counts
from services.store.interface import Store, StoreUnavailableError
from services.store.records import alerts
from services.store.records.alerts import AlertEvent
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.world import (
    EITHER_STORE,
    HANOI,
    SITE,
    TOKEN,
    Clock,
    serving,
    write_counter,
)
from tests.patience import rounds
from tests.servers.smtp import SmtpServer, smtp_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = date(2024, 6, 12)
PATH = "/api/admin/sites/mytho/alerts"
PAGE = "/admin/sites/mytho/alerts"
RULE: dict[str, Any] = {
    "addresses": ["lan@mytho.example", "minh@mytho.example"],
    "lang": "vi",
    "silent_hours": 6,
    "spike_percent": 200,
    "drop_percent": 70,
}


def at(hour: int, minute: int = 0, days: int = 0) -> datetime:
    return datetime(2024, 6, 12, hour, minute, tzinfo=HANOI) + timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock(at(12))


@pytest.fixture(scope="module")
def smtp() -> Iterator[SmtpServer]:
    with smtp_server() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def apis(
    store: Store, redis: Redis, clock: Clock, smtp: SmtpServer
) -> AsyncIterator[list[Api]]:
    """Two processes' worth of API on the same stores."""
    smtp.received.clear()
    smtp.refusing = False
    running = [api_of(store, redis, clock, smtp) for _ in range(2)]
    for api in running:
        await api.start()
    yield running
    for api in running:
        await api.stop()


def api_of(store: Store, redis: Redis, clock: Clock, smtp: SmtpServer) -> Api:
    where = redis.connection_pool.connection_kwargs
    settings = ApiSettings.read(
        {
            "LUOT_SMTP_URL": smtp.url,
            "LUOT_MAIL_FROM": "Luot <thongke@example.vn>",
            "LUOT_PUBLIC_URL": "https://thongke.example.vn",
        },
        admin_token=TOKEN,
        redis_url=f"redis://{where['host']}:{where['port']}",
    )
    return Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)


@pytest_asyncio.fixture(loop_scope="module")
async def desk(apis: list[Api]) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(apis[0].asgi) as client:
        client.headers.update({**ADMIN, "Accept-Language": "vi", "Host": "thongke.example.vn"})
        assert (await client.put(PATH, json=RULE)).status_code == 200
        yield client


async def views(
    store: Store,
    day: date,
    of_hours: Mapping[int, int],
    *,
    twice: bool = False,
    site: str = SITE.slug,
    imported: datetime | None = None,
) -> None:
    """Write a day as the aggregator does: its hits, so many of each hour, and its counter rows.

    imported  when an access log with them was
    """
    rows = [
        (int(datetime(day.year, day.month, day.day, hour, tzinfo=HANOI).timestamp() * 1000) + one)
        for hour, count in of_hours.items()
        for one in range(count)
    ]
    size = len(rows)
    came = [int(imported.timestamp() * 1000)] * size if imported else rows
    columns: dict[str, list[Any]] = {
        "site": [site] * size,
        "path": ["/"] * size,
        "at": rows,
        "day": [to_day(day)] * size,
        "visitor": [1] * size,
        "visit": [0] * size,
        "bot": [0] * size,
        **dict.fromkeys(("host", "source", "device", "browser", "os", "country"), [""] * size),
        "position": [entry_ids.encode(one, 0) for one in came],
        "idx": list(range(size)) if imported else [0] * size,
    }
    last = entry_ids.encode(came[-1], 0)
    if imported:
        of_entry = {"site": site, "producer": "log", "position": last, "day": to_day(day)}
        counted = {"path": "/", "views": size, "visits": 0}
        row = {name: [value] for name, value in (of_entry | counted).items()}
        await import_counts.write(store, row)
    for _ in range(1 + twice):
        await store.insert("hits", columns)
    for grain, start in (("day", day), ("total", date(1970, 1, 1))):
        await write_counter(store, site, grain, start, 1, views=size, position=last)


async def usual(store: Store, *, weeks: int = 4, of_hour: int = 100) -> None:
    """Write the same day of so many weeks before, and the days of the last week."""
    for day in range(7, 7 * weeks + 1, 7):
        await views(store, TODAY - timedelta(days=day), dict.fromkeys(range(7, 22), of_hour))
    for day in range(1, 8):
        await write_counter(store, SITE.slug, "day", TODAY - timedelta(days=day), 1, position=2)


async def go_on(apis: list[Api], clock: Clock, until: datetime) -> None:
    """Let time pass; the processes look in turn, once in half an hour."""
    for api in cycle(apis):
        await api._now().alert_watcher.watch()
        if clock.now >= until.timestamp():
            return
        clock.now = min(clock.now + 30 * 60, until.timestamp())


def subjects(smtp: SmtpServer) -> list[str]:
    return [message["Subject"] for _, message in smtp.received]


@EITHER_STORE
async def test_a_silence_is_told_once_when_it_begins_and_once_when_it_is_over(
    apis: list[Api],
    desk: httpx.AsyncClient,
    store: Store,
    redis: Redis,
    clock: Clock,
    smtp: SmtpServer,
) -> None:
    await usual(store, of_hour=2)
    await views(store, TODAY, {9: 5, 12: 1})
    await go_on(apis, clock, at(17, 30))
    assert smtp.received == []
    clock.set(at(18))
    await asyncio.gather(*(api._now().alert_watcher.watch() for api in apis))
    await go_on(apis, clock, at(18, 30))
    ((receivers, message),) = smtp.received
    assert receivers == RULE["addresses"]
    assert message["Subject"] == "Mỹ Tho: không có lượt xem từ 12/6/2024 12:00"
    text = message.get_content()
    assert "đến 12/6/2024 18:00 vẫn chưa có lượt nào" in text
    assert "https://thongke.example.vn/admin/sites/mytho?period=day&date=2024-06-12\n" in text
    (event,) = (await desk.get(PATH)).json()["events"]
    assert event["kind"] == "silent"
    assert event["since"] == at(12).timestamp() * 1000
    assert event["mailed"] == at(18).timestamp() * 1000
    assert event["ended"] is None

    # Another process after a restart knows what was told.
    await apis[1].stop()
    apis[1] = api_of(store, redis, clock, smtp)
    await apis[1].start()
    await go_on(apis, clock, at(20))
    assert len(smtp.received) == 1
    clock.set(at(10, days=1))
    await views(store, TODAY + timedelta(days=1), {10: 1})
    await go_on(apis, clock, at(11, days=1))
    assert subjects(smtp)[1:] == ["Mỹ Tho: đã có lượt xem trở lại"]
    assert "từ 13/6/2024 10:00 hoặc sớm hơn" in smtp.received[1][1].get_content()
    (event,) = (await desk.get(PATH)).json()["events"]
    assert event["ended"] is not None
    assert event["mailed_end"] == event["ended"]
    shown = (await desk.get(PAGE)).text
    assert "Không có lượt xem" in shown
    assert "lượt xem cuối lúc 12/6/2024 12:00" in shown


@EITHER_STORE
async def test_a_silence_after_an_import_is_since_the_last_view_itself(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    await usual(store, of_hour=2)
    await views(store, TODAY, {8: 5, 9: 1}, imported=at(11, 50))
    await go_on(apis, clock, at(17, 30))
    assert smtp.received == []
    await go_on(apis, clock, at(18, 10))
    assert subjects(smtp) == ["Mỹ Tho: không có lượt xem từ 12/6/2024 09:00"]
    await apis[0]._now().site_gauges.measure()
    (row,) = (await desk.get("/api/v1/table", params={"period": "day"})).json()["sites"]
    assert row["silent_since"] == "2024-06-12T02:00:00Z"
    assert "12/6/2024 09:00" in (await desk.get("/admin", params={"period": "day"})).text
    csv = (await desk.get("/admin/sites.csv", params={"period": "day"})).text
    assert '"2024-06-12T09:00:00+07:00"' in csv, "by the site's clocks, as the page has it"
    workbook = (await desk.get("/admin/sites.xlsx", params={"period": "day"})).content
    cells = [str(one) for line in load_workbook(BytesIO(workbook)).active.values for one in line]
    assert any("12/6/2024 09:00" in cell for cell in cells), cells

    # Views of the morning that come from another log do not end it.
    await views(store, TODAY, {7: 9}, imported=at(18, 40))
    await go_on(apis, clock, at(19, 10))
    assert len(smtp.received) == 1
    await views(store, TODAY, {19: 1})
    await go_on(apis, clock, at(19, 40))
    assert subjects(smtp)[1:] == ["Mỹ Tho: đã có lượt xem trở lại"]


async def test_the_night_is_no_silence(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    await usual(store, of_hour=2)
    await views(store, TODAY, {21: 9})
    clock.set(at(21, 10))
    await go_on(apis, clock, at(11, 40, days=1))
    assert smtp.received == [], "an hour in the evening, and not five in the morning"
    await go_on(apis[:1], clock, at(12, 20, days=1))
    assert len(smtp.received) == 1


async def test_what_cannot_be_known_is_no_silence(
    apis: list[Api],
    desk: httpx.AsyncClient,
    store: Store,
    redis: Redis,
    clock: Clock,
    smtp: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await usual(store, of_hour=2)
    await views(store, TODAY, {9: 5})
    one = apis[:1]
    # An aggregator that lags: an entry came that is not counted.
    log = apis[0]._now().log
    partition = partition_of(SITE.slug, log.partitions)
    waits = f"{int(at(9, 30).timestamp() * 1000)}-0"
    await redis.xadd(keys.stream(partition), {"hits": b""}, id=waits)
    await go_on(one, clock, at(16))
    assert smtp.received == []
    await log.positions.set_committed({partition: entry_ids.of_entry(waits.encode()) + 1})

    # A store that cannot be read, as long as it cannot, and nobody who looked.
    async def away(*_: object) -> list[Any]:
        raise StoreUnavailableError("it does not answer")

    with monkeypatch.context() as broken:
        broken.setattr("services.api.sites.silence.counters.load", away)
        with pytest.raises(StoreUnavailableError):
            await apis[0]._now().alert_watcher.watch()
    clock.set(at(20))
    await go_on(one, clock, at(21, 40))
    assert smtp.received == [], "Luot was away from 16 to 20 o'clock, so those hours are not known"
    await go_on(one, clock, at(11, 40, days=1))
    assert len(smtp.received) == 1, "from 20 to 22, and from 7 to 11"


@EITHER_STORE
async def test_a_spike_is_told_with_the_numbers_of_the_dashboard_and_so_is_its_end(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    await usual(store)
    await views(store, TODAY, {9: 100, 10: 100, 11: 100, 12: 100, 13: 1200})
    clock.set(at(9))
    await go_on(apis, clock, at(14))
    assert smtp.received == [], "13 to 14 o'clock is looked at ten minutes later"
    await go_on(apis, clock, at(15))
    ((_, message),) = smtp.received
    assert message["Subject"] == "Mỹ Tho: 1.400 lượt xem trong ba giờ, bình thường 300"
    assert "Từ 12/6/2024 11:00 đến 12/6/2024 14:00, Mỹ Tho có 1.400" in message.get_content()
    query = {"site_id": SITE.slug, "period": "day", "date": "2024-06-12", "metrics": "pageviews"}
    answer = await desk.get("/api/v1/stats/timeseries", params=query)
    hours = {row["date"][11:13]: row["pageviews"] for row in answer.json()["results"]}
    assert hours["11"] + hours["12"] + hours["13"] == 1400

    await views(store, TODAY, {**dict.fromkeys(range(9, 20), 100), 13: 1200})
    await go_on(apis, clock, at(18))
    assert subjects(smtp)[1:] == ["Mỹ Tho: lượt xem đã trở lại bình thường"]
    (event,) = (await desk.get(PATH)).json()["events"]
    assert (event["kind"], event["views"], event["usual"]) == ("spike", 1400, 300)
    shown = (await desk.get(PAGE)).text
    assert "1.400 lượt xem, bình thường 300" in shown


async def test_a_spike_that_could_not_be_saved_is_found_again_in_the_next_round(
    apis: list[Api],
    desk: httpx.AsyncClient,
    store: Store,
    clock: Clock,
    smtp: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await usual(store)
    await views(store, TODAY, {11: 900, 12: 900, 13: 900})
    clock.set(at(10, 50))
    await go_on(apis[:1], clock, at(14))
    assert smtp.received == []
    clock.set(at(14, 10))
    save = alerts.save_events

    async def fail(_: Store, events: Sequence[AlertEvent]) -> None:
        assert [event.kind for event in events] == ["spike"]
        raise StoreUnavailableError("the store is restarting")

    monkeypatch.setattr(alerts, "save_events", fail)
    with pytest.raises(StoreUnavailableError):
        await apis[0]._now().alert_watcher.watch()
    monkeypatch.setattr(alerts, "save_events", save)
    clock.set(at(14, 15))
    await apis[0]._now().alert_watcher.watch()
    assert subjects(smtp) == ["Mỹ Tho: 2.700 lượt xem trong ba giờ, bình thường 300"]
    await go_on(apis[:1], clock, at(14, 50))
    assert len(smtp.received) == 1


async def test_a_drop_is_told_in_the_language_of_the_rule(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    assert (await desk.put(PATH, json=RULE | {"lang": "en"})).status_code == 200
    await usual(store)
    await views(store, TODAY, {9: 100, 10: 100, 11: 20, 12: 20, 13: 20})
    clock.set(at(10, 30))
    await go_on(apis, clock, at(14, 20))
    assert subjects(smtp) == ["Mỹ Tho: only 60 views in three hours, usually 300"]
    # Turned off while it goes on: nobody is told of its end.
    assert (await desk.put(PATH, json=RULE | {"drop_percent": None})).status_code == 200
    await go_on(apis, clock, at(14, 40))
    assert len(smtp.received) == 1
    (event,) = (await desk.get(PATH)).json()["events"]
    assert (event["ended"] is None, event["mailed_end"]) == (False, None)


async def test_hits_that_are_there_twice_and_weeks_that_are_not_are_no_change(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    await usual(store, weeks=2)
    await views(store, TODAY, {9: 100, 10: 100, 11: 310, 12: 310, 13: 100}, twice=True)
    clock.set(at(10, 50))
    await go_on(apis, clock, at(14, 20))
    assert smtp.received == [], "a crash of the aggregator; it is not three times as much"
    # Of one of the two weeks raw hits are gone: one alone is not usual.
    await views(store, TODAY, dict.fromkeys(range(9, 15), 3000))
    await write_counter(
        store, SITE.slug, "day", TODAY - timedelta(days=14), 1, views=9000, position=1 << 61
    )
    await go_on(apis, clock, at(15, 20))
    assert smtp.received == []


async def test_what_fails_is_tried_again_and_another_process_takes_over(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    await usual(store)
    await views(store, TODAY, {11: 900, 12: 900, 13: 900})
    clock.set(at(10, 50))
    smtp.refusing = True
    await go_on(apis, clock, at(14, 10))
    shown = (await desk.get(PAGE)).text
    assert "Chưa gửi được, sẽ thử lại" in shown
    assert "The disk is full" in shown
    (event,) = (await desk.get(PATH)).json()["events"]
    assert event["given_up"] is False
    failed_at = clock.now
    clock.set(at(15, days=2))
    assert "Chưa gửi được, không thử lại nữa" in (await desk.get(PAGE)).text
    (event,) = (await desk.get(PATH)).json()["events"]
    assert event["given_up"] is True
    clock.now = failed_at
    # The process that noticed is gone, and holds the lock for a while.
    await apis[0].stop()
    smtp.refusing = False
    await apis[1]._now().alert_watcher.watch()
    assert smtp.received == [], "it waits a while"
    await go_on(apis[1:], clock, at(15))
    assert subjects(smtp) == ["Mỹ Tho: 2.700 lượt xem trong ba giờ, bình thường 300"]


async def test_a_process_that_dies_between_noticing_and_telling_is_followed_by_another(
    apis: list[Api],
    desk: httpx.AsyncClient,
    store: Store,
    redis: Redis,
    clock: Clock,
    smtp: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await usual(store)
    await views(store, TODAY, {11: 900, 12: 900, 13: 900})
    clock.set(at(10, 50))
    await go_on(apis, clock, at(14))

    async def dies(*_: object) -> int:
        raise asyncio.CancelledError

    clock.set(at(14, 10))
    with monkeypatch.context() as dying:
        dying.setattr(AlertTeller, "tell", dies)
        with pytest.raises(asyncio.CancelledError):
            await apis[0]._now().alert_watcher.watch()
    # Who is killed does not give back the lock: it ends by itself.
    await redis.set(state_keys.WATCHING_ALERTS, b"of one that was killed")
    other = apis[1]._now().alert_watcher
    assert await other.watch() == 0
    await redis.pexpire(state_keys.WATCHING_ALERTS, 1)
    for _ in rounds(0.05):
        if await other.watch():
            break
        await asyncio.sleep(0.05)
    assert subjects(smtp) == ["Mỹ Tho: 2.700 lượt xem trong ba giờ, bình thường 300"]
    await go_on(apis, clock, at(14, 50))
    assert len(smtp.received) == 1


async def test_views_of_a_site_that_is_merged_into_another_are_views_of_both(
    apis: list[Api], desk: httpx.AsyncClient, store: Store, clock: Clock, smtp: SmtpServer
) -> None:
    made = await desk.post("/api/admin/sites", json={"slug": "xa", "hosts": ["xa.example"]})
    assert made.status_code == 201
    merged = await desk.post("/api/admin/sites/xa/merge", json={"into": SITE.slug})
    assert merged.status_code == 200, merged.text
    await apis[1].registry.refresh()
    await usual(store)
    await views(store, TODAY, {8: 5})
    await views(store, TODAY, {11: 100, 12: 100, 13: 100, 15: 1}, site="xa")
    clock.set(at(10, 50))
    await go_on(apis, clock, at(20, 50))
    assert subjects(smtp) == ["Mỹ Tho: chỉ 1 lượt xem trong ba giờ, bình thường 300"]
    await go_on(apis, clock, at(21, 10))
    assert subjects(smtp)[1:] == ["Mỹ Tho: không có lượt xem từ 12/6/2024 15:00"]


async def test_editors_set_and_try_alerts_and_are_told_what_is_wrong(
    apis: list[Api], desk: httpx.AsyncClient, clock: Clock, smtp: SmtpServer
) -> None:
    fields = {**RULE, "addresses": "lan@mytho.example; minh@mytho.example", "drop_percent": ""}
    saved = await desk.post(PAGE, data=fields)
    assert saved.status_code == 303, saved.text
    assert (await desk.get(PATH)).json()["drop_percent"] is None
    assert 'value="lan@mytho.example, minh@mytho.example"' in (await desk.get(PAGE)).text
    (entry, *_) = await audit(desk, action="alert.change")
    assert entry["before"] == {"drop_percent": 70}
    for wrong, said in (
        ({"addresses": "lan"}, "không phải là địa chỉ thư"),
        ({"addresses": "a@b.example\r\nBcc:x@y.example"}, "không phải là địa chỉ thư"),
        ({"addresses": ",".join(f"a{n}@b.example" for n in range(21))}, "cần từ 0 đến 20"),
        ({"silent_hours": "0"}, "phải từ 1 trở lên"),
        ({"silent_hours": "soon"}, "phải là một số nguyên"),
        ({"drop_percent": "101"}, "phải từ 100 trở xuống"),
        ({"spike_percent": "19"}, "phải từ 20 trở lên"),
    ):
        refused = await desk.post(PAGE, data=fields | wrong)
        assert refused.status_code == 400
        assert said in refused.text
    assert (await desk.put(PATH, json={"addresses": []})).status_code == 400

    renamed = await desk.patch("/api/admin/sites/mytho", json={"name": "Mỹ\u2028Tho"})
    assert renamed.status_code == 200
    assert (await desk.post(f"{PAGE}/test", data={"send": "now"})).status_code == 303
    assert subjects(smtp) == ["Mỹ Tho: thư thử của cảnh báo"]
    assert (await desk.post(f"{PATH}/test")).status_code == 429
    clock.now += TEST_SECONDS
    smtp.refusing = True
    failed = await desk.post(f"{PATH}/test")
    assert failed.status_code == 502
    assert "The disk is full" in failed.text
    clock.now += TEST_SECONDS
    page = await desk.post(f"{PAGE}/test", data={"send": "now"})
    assert "Chưa gửi được thư" in page.text
    assert "Máy chủ thư" in page.text
    assert "không nhận thư" in page.text
    assert (await desk.put(PATH, json=RULE | {"addresses": []})).status_code == 200
    assert (await desk.post(f"{PATH}/test")).status_code == 400
