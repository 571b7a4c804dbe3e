"""At the edge: names that are not ours, redirects, and what a browser may keep or guess."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from services.model.hosts import fold
from tests.integration.api.world import TOKEN
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service

NAME = "thongke.example.vn"
OTHER = "dem.example.vn"
ADMIN = {"Authorization": f"Bearer {TOKEN}", "Host": NAME}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    """The three services, of which browsers reach the API at https://thongke.example.vn."""
    folder = tmp_path_factory.mktemp("edge")
    with RedisServer(folder / "redis") as redis, ClickHouseServer(folder / "clickhouse") as store:
        urls = {"LUOT_REDIS_URL": redis.url}
        stores = {**urls, "LUOT_CLICKHOUSE_URL": store.url}
        public = {
            "LUOT_PUBLIC_URL": f"https://{NAME}",
            "LUOT_PUBLIC_HOSTS": f"{OTHER}, Thống-Kê.example.vn",
            "LUOT_ADMIN_TOKEN": TOKEN,
        }
        started = {
            "api": Service("api", folder, **stores, **public).start(),
            "ingest": Service("ingest", folder, **urls).start(),
            "aggregator": Service("aggregator", folder, **stores).start(),
        }
        yield started
        for service in started.values():
            service.stop()


@pytest.fixture(scope="module")
def api(services: dict[str, Service]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=services["api"].url) as client:
        site = {"slug": "mytho", "hosts": ["mytho.example"], "public_dashboard": True}
        assert client.post("/api/admin/sites", json=site, headers=ADMIN).status_code == 201
        yield client


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/admin/", "/admin"),
        ("/admin/sites/mytho/?period=7d&date=2024-01-01", None),
        ("/docs/", "/docs"),
        ("/api/admin/sites/", "/api/admin/sites"),
    ],
)
def test_a_redirect_names_neither_scheme_nor_host(
    api: httpx.Client, address: str, expected: str | None
) -> None:
    answer = api.get(address, headers={"Host": OTHER, "X-Forwarded-Proto": "https"})
    assert answer.status_code == 307
    assert answer.headers["location"] == (expected or address.replace("/?", "?"))


@pytest.mark.parametrize(
    "address", ["//evil.example/", "/\\evil.example/", "/nothing/", "//admin/"]
)
def test_nobody_is_sent_to_another_host(api: httpx.Client, address: str) -> None:
    url = httpx.URL(str(api.base_url), raw_path=address.encode())
    answer = api.send(httpx.Request("GET", url, headers={"Host": NAME}))
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


@pytest.mark.parametrize(
    "host",
    [
        NAME,
        f"{NAME}:443",
        "Thongke.Example.VN.",
        OTHER,
        fold("thống-kê.example.vn"),
        "localhost:8002",
        "127.0.0.1:8002",
        "[::1]:8002",
    ],
)
def test_a_name_of_ours_is_answered(api: httpx.Client, host: str) -> None:
    assert api.get("/api/counter/mytho", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"{NAME}.evil.example",
        f"x.{NAME}",
        f"evil.example@{NAME}",
        f"{NAME}@evil.example",
        "[::1",
        "203.0.113.9",
        "",
    ],
)
@pytest.mark.parametrize(
    "address", ["/api/counter/mytho", "/admin", "/api/admin/sites", "/nothing", "/docs"]
)
def test_a_name_that_is_not_ours_is_refused(api: httpx.Client, host: str, address: str) -> None:
    # Once it is known, also where the answer is ready.
    api.get(address, headers=ADMIN)
    answer = api.get(address, headers={**ADMIN, "Host": host})
    assert answer.status_code == 421
    assert "is no name of this server" in answer.json()["errors"]["host"][0]


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_programs_beside_it_ask_how_it_is_by_any_name(api: httpx.Client, address: str) -> None:
    assert api.get(address, headers={"Host": "api:8002"}).status_code == 200


@pytest.mark.parametrize(
    "asked", ["/api/counter/mytho", "/counter/mytho.svg", "/admin", "/nothing"]
)
def test_browsers_are_told_to_come_by_tls_again(api: httpx.Client, asked: str) -> None:
    for _ in range(2):
        answer = api.get(asked, headers={"Host": NAME})
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/api/admin/sites", 200),
        ("GET", "/api/admin/whoami", 200),
        ("GET", "/api/admin/users", 200),
        ("GET", "/api/admin/audit", 200),
        ("GET", "/api/admin/sites/mytho", 200),
        ("GET", "/api/admin/sites/nothing", 404),
        ("GET", "/api/admin/nothing", 404),
        ("GET", "/api/admin/sites/", 307),
        ("DELETE", "/api/admin/sites", 405),
        ("POST", "/api/admin/sites", 400),
        ("GET", "/admin", 200),
        ("GET", "/admin/", 307),
        ("GET", "/admin/sites/mytho", 200),
        ("GET", "/admin/sites/mytho/csv/page", 200),
        ("GET", "/admin/nothing", 404),
    ],
)
def test_nothing_of_the_administration_is_kept_or_guessed_at(
    api: httpx.Client, method: str, address: str, status: int
) -> None:
    answer = api.request(method, address, headers=ADMIN)
    assert answer.status_code == status, answer.text
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize(
    ("address", "methods"),
    [
        ("/api/admin/sites", {"GET", "POST"}),
        ("/api/admin/sites/mytho", {"GET", "PATCH", "DELETE"}),
        ("/admin/new-site", {"GET", "POST"}),
    ],
)
def test_a_method_that_is_not_possible_names_all_that_are(
    api: httpx.Client, address: str, methods: set[str]
) -> None:
    answer = api.put(address, headers=ADMIN)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == methods


def test_style_and_script_of_the_pages_may_be_kept(api: httpx.Client) -> None:
    answer = api.get("/admin/static/admin.css", headers={"Host": NAME})
    assert answer.headers["cache-control"] == "no-cache"


async def said(service: Service, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(head)
    answer = await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    return answer


@pytest.mark.parametrize("name", ["api", "ingest", "aggregator"])
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"POST /e HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"200"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
    ],
)
async def test_a_request_names_one_host(
    services: dict[str, Service], name: str, head: bytes, status: bytes
) -> None:
    assert (await said(services[name], head)).split()[1] == status


async def test_each_request_of_a_connection_names_its_host(services: dict[str, Service]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", services["ingest"].port)
    for _ in range(3):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200")
    writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()


def test_without_a_public_url_every_name_is_ours(
    services: dict[str, Service],
) -> None:
    answer = httpx.get(f"{services['ingest'].url}/healthz", headers={"Host": "any.example"})
    assert answer.status_code == 200
    assert "strict-transport-security" not in answer.headers
