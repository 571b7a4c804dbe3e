"""Reports go out by e-mail once, when their period is over, through a real SMTP server."""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

import httpx
import openpyxl
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import StatsResult
from services.api.stats.reports.mailer import SmtpUrl
from services.api.stats.reports.sending import ReportSender
from services.api.stats.reports.traffic_report import TrafficReport
from services.http.errors import unavailable
from services.model.display import Lang
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.world import TOKEN, Clock, serving
from tests.servers.smtp import SmtpServer, smtp_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "/admin/sites/portal-1/report/mail"
NOW = datetime(2024, 12, 10, 5, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def smtp() -> Iterator[SmtpServer]:
    with smtp_server() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest_asyncio.fixture(loop_scope="module")
async def mailing(store: Store, redis: Redis, clock: Clock, smtp: SmtpServer) -> AsyncIterator[Api]:
    smtp.received.clear()
    smtp.refusing = False
    smtp.nobody = set()
    settings = ApiSettings.read(
        {"LUOT_SMTP_URL": smtp.url, "LUOT_MAIL_FROM": "Luot <thongke@example.vn>"},
        admin_token=TOKEN,
    )
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    yield api
    await api.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(mailing: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(mailing.asgi) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        client.headers["Accept-Language"] = "vi"
        yield client
        # The store is shared: what a test scheduled is removed.
        text = (await client.get(PAGE)).text
        for part in text.split(f'action="{PAGE}/')[1:]:
            if "/remove" in (path := part.partition('"')[0]):
                answer = await client.post(f"{PAGE}/{path}", data={"csrf": ""})
                assert answer.status_code == 303, answer.text


def sender(api: Api) -> ReportSender:
    return api._now().report_sender


async def schedule(desk: httpx.AsyncClient, **fields: str) -> httpx.Response:
    form = {"period": "month", "lang": "vi", "opening": "exclude", "addresses": "a@b.example"}
    return await desk.post(PAGE, data=form | fields)


async def test_a_report_goes_out_once_when_its_month_is_over(
    mailing: Api, desk: httpx.AsyncClient, clock: Clock, smtp: SmtpServer
) -> None:
    answer = await schedule(desk, addresses="lan@mytho.example, minh@mytho.example")
    assert answer.status_code == 303, answer.text
    assert await sender(mailing).send_due() == 0, "November was over before"
    clock.now = datetime(2024, 12, 31, 18, 0, tzinfo=UTC).timestamp()
    assert await sender(mailing).send_due() == 0, "it is 1 January, 1 o'clock"
    clock.now += 3 * 3600
    assert await sender(mailing).send_due() == 1
    assert await sender(mailing).send_due() == 0
    ((receivers, message),) = smtp.received
    assert receivers == ["lan@mytho.example", "minh@mytho.example"]
    assert message["Subject"] == "Báo cáo lượng truy cập tháng 12/2024: portal-1"
    assert message["From"] == "Luot <thongke@example.vn>"
    query = {"period": "month", "date": "2024-12-31"}
    said = (await desk.get("/api/v1/reports/portal-1", params=query)).json()
    views = f"{said['figures'][0]['value']:,}".replace(",", ".")
    body, html = message.get_body(("plain",)), message.get_body(("html",))
    assert body is not None
    assert html is not None
    assert f"Lượt xem: {views} " in body.get_content()
    assert f">{views}</td>" in html.get_content()
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "portal-1-report-2024-12-01-to-2024-12-31.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(attached.get_content()))
    assert book["Tổng hợp"]["B4"].value == said["figures"][0]["value"]
    assert "lan@mytho.example, minh@mytho.example" in (await desk.get(PAGE)).text


async def test_the_report_of_a_group_goes_out_like_that_of_a_site(
    mailing: Api, desk: httpx.AsyncClient, clock: Clock, smtp: SmtpServer
) -> None:
    new = {"slug": "tinh", "name": "UBND tỉnh", "sites": ["portal-1", "portal-2"]}
    assert (await desk.post("/api/admin/groups", json=new)).status_code == 201
    page = "/admin/groups/tinh/report/mail"
    form = {"period": "month", "lang": "vi", "opening": "exclude", "addresses": "a@b.example"}
    answer = await desk.post(page, data=form)
    assert answer.status_code == 303, answer.text
    clock.now = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    query = {"period": "month", "date": "2024-12-31"}
    said = (await desk.get("/api/v1/groups/tinh/report", params=query)).json()
    first = said["pages"]["rows"][0]
    titled = {"path": first["name"], "title": "Tin <1>"}
    named = await desk.put(f"/api/admin/sites/{first['site']}/titles", json=titled)
    assert named.status_code == 200, named.text
    assert await sender(mailing).send_due() == 1
    ((_, message),) = smtp.received
    assert message["Subject"] == "Báo cáo lượng truy cập tháng 12/2024: UBND tỉnh"
    said = (await desk.get("/api/v1/groups/tinh/report", params=query)).json()
    most_read = said["pages"]["rows"][0]
    assert most_read == {**first, "title": "Tin <1>"}
    body, html = message.get_body(("plain",)), message.get_body(("html",))
    assert body is not None
    assert html is not None
    line = f"{most_read['count']}: {most_read['site']} · Tin <1> · {most_read['name']}"
    assert line in body.get_content()
    assert f"{most_read['site']} · Tin &lt;1&gt; · {most_read['name']}" in html.get_content()
    (attached,) = message.iter_attachments()
    book = openpyxl.load_workbook(io.BytesIO(attached.get_content()))
    assert book["Tổng hợp"]["B4"].value == said["figures"][0]["value"]
    assert "Theo trang web" in book.sheetnames
    text = (await desk.get(page)).text
    assert "a@b.example" in text
    # Another group of the same slug has none of its schedules.
    assert (await desk.delete("/api/admin/groups/tinh")).status_code == 204
    assert await sender(mailing).send_due() == 0
    clock.now += 1
    assert (await desk.post("/api/admin/groups", json=new)).status_code == 201
    assert "a@b.example" not in (await desk.get(page)).text
    await desk.delete("/api/admin/groups/tinh")


async def test_what_fails_is_told_and_tried_again(
    mailing: Api, desk: httpx.AsyncClient, clock: Clock, smtp: SmtpServer
) -> None:
    await schedule(desk, period="report_month", lang="en")
    clock.now = datetime(2024, 12, 15, 18, 0, tzinfo=UTC).timestamp()
    smtp.refusing = True
    assert await sender(mailing).send_due() == 0
    text = (await desk.get(PAGE)).text
    assert "Chưa gửi được, sẽ thử lại" in text
    assert "The disk is full" in text
    smtp.refusing = False
    assert await sender(mailing).send_due() == 0, "it waits a while"
    clock.now += 301
    assert await sender(mailing).send_due() == 1
    assert "Chưa gửi được" not in (await desk.get(PAGE)).text
    ((_, message),) = smtp.received
    assert message["Subject"] == "Traffic in Dec 2024: portal-1"


async def test_a_report_whose_lists_cannot_be_read_now_waits_for_them(
    mailing: Api,
    desk: httpx.AsyncClient,
    clock: Clock,
    smtp: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await schedule(desk)).status_code == 303
    clock.now = datetime(2025, 1, 1, tzinfo=UTC).timestamp()

    async def busy(*_: object) -> StatsResult:
        raise unavailable("too many queries are under way")

    with monkeypatch.context() as patched:
        patched.setattr(StatsReader, "breakdown", busy)
        assert await sender(mailing).send_due() == 0
    assert smtp.received == []
    assert "too many queries are under way" in (await desk.get(PAGE)).text
    clock.now += 10 * 60
    assert await sender(mailing).send_due() == 1
    ((_, message),) = smtp.received
    (attached,) = message.iter_attachments()
    book = openpyxl.load_workbook(io.BytesIO(attached.get_content()))
    assert book["Trang xem nhiều"]["A4"].value


async def test_whom_the_server_refuses_is_told_and_the_others_have_it_once(
    mailing: Api, desk: httpx.AsyncClient, clock: Clock, smtp: SmtpServer
) -> None:
    await schedule(desk, addresses="lan@mytho.example, mihn@mytho.example")
    clock.now = datetime(2025, 1, 2, tzinfo=UTC).timestamp()
    smtp.nobody = {"mihn@mytho.example"}
    assert await sender(mailing).send_due() == 1
    assert await sender(mailing).send_due() == 0
    assert [receivers for receivers, _ in smtp.received] == [["lan@mytho.example"]]
    text = (await desk.get(PAGE)).text
    assert "Đã gửi, nhưng có người không nhận được" in text
    refused = (
        f"127.0.0.1:{smtp.port} không nhận thư: mihn@mytho.example (550 5.1.1 No such user here)"
    )
    assert refused in text
    answer = await desk.post(f"{PAGE}/test", data={"address": "mihn@mytho.example"})
    assert answer.status_code == 400
    assert refused in answer.text
    clock.now = datetime(2025, 2, 2, tzinfo=UTC).timestamp()
    smtp.nobody = set()
    assert await sender(mailing).send_due() == 1
    assert "không nhận được" not in (await desk.get(PAGE)).text


async def test_a_report_that_cannot_be_made_keeps_no_other_one_away(
    mailing: Api,
    desk: httpx.AsyncClient,
    clock: Clock,
    smtp: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await schedule(desk, addresses="lan@mytho.example")
    clock.now += 1
    await schedule(desk, addresses="minh@mytho.example")
    clock.now = datetime(2025, 1, 2, tzinfo=UTC).timestamp()
    compose, calls = sender(mailing)._compose, iter([True])

    def failing_once(report: TrafficReport, lang: Lang) -> EmailMessage:
        if next(calls, False):
            raise ValueError("no workbook has this sign")
        return compose(report, lang)

    monkeypatch.setattr(sender(mailing), "_compose", failing_once)
    assert await sender(mailing).send_due() == 1
    assert [receivers for receivers, _ in smtp.received] == [["minh@mytho.example"]]
    text = (await desk.get(PAGE)).text
    assert "Chưa gửi được, sẽ thử lại: máy chủ gặp lỗi" in text
    clock.now += 301
    assert await sender(mailing).send_due() == 1
    assert [receivers for receivers, _ in smtp.received][1:] == [["lan@mytho.example"]]


async def test_two_processes_at_once_send_one(
    mailing: Api,
    desk: httpx.AsyncClient,
    clock: Clock,
    smtp: SmtpServer,
    store: Store,
    redis: Redis,
) -> None:
    other = Api(
        ApiSettings.read({"LUOT_SMTP_URL": smtp.url, "LUOT_MAIL_FROM": "luot@example.vn"}),
        store=store,
        state=State(redis),
        clock=clock,
        monotonic=clock,
    )
    await other.start()
    await schedule(desk)
    clock.now = datetime(2025, 1, 2, tzinfo=UTC).timestamp()
    for _ in range(3):
        await sender(other).send_due()
        await sender(mailing).send_due()
    await other.stop()
    assert len(smtp.received) == 1


async def test_a_test_message_says_at_once_whether_it_works(
    desk: httpx.AsyncClient, smtp: SmtpServer
) -> None:
    answer = await desk.post(f"{PAGE}/test", data={"address": "lan@mytho.example"})
    assert answer.status_code == 303, answer.text
    assert smtp.received[0][1]["Subject"] == "Báo cáo lượng truy cập tháng 11/2024: portal-1"
    smtp.refusing = True
    answer = await desk.post(f"{PAGE}/test", data={"address": "lan@mytho.example"})
    assert answer.status_code == 400
    assert "The disk is full" in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"addresses": "lan"}, "không phải là địa chỉ thư"),
        ({"addresses": "a@b.example\r\nBcc:x@y.example"}, "không phải là địa chỉ thư"),
        ({"addresses": " "}, "cần từ 1 đến 20"),
        ({"addresses": ",".join(f"a{n}@b.example" for n in range(21))}, "cần từ 1 đến 20"),
        ({"period": "custom"}, "period"),
        ({"lang": "fr"}, "lang"),
    ],
)
async def test_what_is_wrong_in_a_schedule_is_told(
    desk: httpx.AsyncClient, fields: dict[str, str], said: str
) -> None:
    answer = await schedule(desk, **fields)
    assert answer.status_code == 400
    assert said in answer.text


async def test_no_message_of_a_refusal_has_the_password(smtp: SmtpServer) -> None:
    from services.api.stats.reports.mailer import Mailer, MailError

    message = EmailMessage()
    message["To"] = "lan@mytho.example"
    wrong = SmtpUrl(smtp.url.replace("hush-smtp", "hush-wrong"))
    with pytest.raises(MailError) as raised:
        await Mailer(wrong, "luot@example.vn").send(message)
    assert "refused user and password" in str(raised.value)
    assert "hush" not in str(raised.value) + repr(wrong)
