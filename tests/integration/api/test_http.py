"""What the API answers beside the numbers: refusals, the script, its own description, health."""

import re

import httpx
import pytest

from services.api.app import Api

COUNTER = "/api/counter/mytho"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("address", "status", "field"),
    [
        ("/api/counter/nobody", 404, "site"),
        ("/api/counter/%00", 404, "site"),
        ("/api/counter/%FF%FE", 404, "site"),
        ("/api/counter/", 404, "request"),
        ("/api/counter/mytho/more", 404, "request"),
        (f"{COUNTER}?metric=clicks", 400, "metric"),
        (f"{COUNTER}?metric=", 400, "metric"),
        (f"{COUNTER}?path=", 400, "path"),
        (f"{COUNTER}?path=a", 400, "path"),
        (f"{COUNTER}?path=/a%00b", 400, "path"),
        (f"{COUNTER}?path=/%FF", 400, "query"),
        (f"{COUNTER}?path=/{'x' * 2048}", 400, "path"),
        (f"{COUNTER}?{'&'.join(f'path=/{n}' for n in range(101))}", 400, "path"),
        (f"{COUNTER}?{'&'.join(f'a{n}=' for n in range(500))}", 400, "query"),
        (f"{COUNTER}?a={'x' * 40_000}", 414, "query"),
    ],
)
async def test_bad_input_is_refused_in_one_shape(
    client: httpx.AsyncClient, address: str, status: int, field: str
) -> None:
    answer = await client.get(address)

    assert answer.status_code == status
    assert list(answer.json()) == ["errors"]
    assert [type(messages) for messages in answer.json()["errors"].values()] == [list]
    assert list(answer.json()["errors"]) == [field]
    assert answer.headers["access-control-allow-origin"] == "*"


FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
DEEP = b"[" * 60_000


@pytest.mark.parametrize(
    ("address", "kind", "body"),
    [
        ("/api/v2/query", JSON, b'{"site_id": "\xff"}'),
        ("/api/v2/query", JSON, DEEP),
        ("/api/admin/sign-in", JSON, b'{"name": "\xff"}'),
        ("/api/admin/sign-in", JSON, DEEP),
        ("/api/admin/sign-in", FORM, b"&".join(b"a%d=" % number for number in range(21))),
        ("/api/admin/sign-out", FORM, b"&".join(b"a%d=" % number for number in range(21))),
        ("/admin/sign-in", FORM, b"&".join(b"a%d=" % number for number in range(2000))),
    ],
)
async def test_bodies_that_nobody_would_send_are_refused(
    client: httpx.AsyncClient, address: str, kind: str, body: bytes
) -> None:
    answer = await client.post(address, content=body, headers={"Content-Type": kind})
    assert answer.status_code in {400, 401}, answer.text
    assert answer.json()["errors"]


@pytest.mark.parametrize("name", ["%C4%91", "a%3Bdomain=evil.example"])
async def test_the_path_of_a_cookie_is_that_of_its_page_whatever_it_is_called(
    client: httpx.AsyncClient, name: str
) -> None:
    page = f"/public/groups/{name}"
    answer = await client.get(f"{page}?lang=vi", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    attributes = answer.headers["set-cookie"].split("; ")
    assert [one for one in attributes if one.lower().startswith(("path", "domain"))] == [
        f"Path={page.replace('=', '%3D')}"
    ]


async def test_head_options_and_post(client: httpx.AsyncClient) -> None:
    head = await client.head(COUNTER)
    assert (head.status_code, head.content) == (200, b"")
    assert (await client.options(COUNTER)).status_code == 204
    post = await client.post(COUNTER)
    assert post.status_code == 405
    assert list(post.json()) == ["errors"]
    assert "GET" in post.headers["allow"]


@pytest.mark.parametrize("address", ["/counter.js", "/v1/counter.js"])
async def test_the_script_is_cacheable_and_may_be_embedded_anywhere(
    client: httpx.AsyncClient, address: str
) -> None:
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    packed = await client.get(address, headers={"Accept-Encoding": "gzip, br"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cross-origin-resource-policy"] == "cross-origin"
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert plain.headers["cache-control"].startswith("public, max-age=3600")
    assert plain.headers["etag"] != packed.headers["etag"]
    for answer, accepted in ((plain, "identity"), (packed, "gzip")):
        held = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": accepted}
        assert (await client.get(address, headers=held)).status_code == 304


async def test_the_api_describes_itself_without_anything_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    described = (await client.get("/openapi.json")).json()
    page = await client.get("/docs")

    assert next(iter(described["paths"])) == "/api/counter/{site}"
    assert {
        "/api/admin/sites",
        "/api/admin/sites/{slug}",
        "/api/admin/sites/{slug}/shown",
    } < described["paths"].keys()
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page.text
    assert "http" not in page.text.replace("Authorization", "")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert described["paths"]["/api/admin/sites"]["post"]["security"]
    assert "422" not in str(described)


async def test_health_and_metrics(api: Api, client: httpx.AsyncClient) -> None:
    await client.get(COUNTER)

    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    exposed = (await client.get("/metrics")).text
    assert (
        'luot_request_seconds_count{code="200",method="GET",route="/api/counter/{site}"}' in exposed
    )
    assert "luot_number_reads_total" in exposed


async def test_requests_are_measured_by_the_path_of_their_route(
    api: Api, client: httpx.AsyncClient
) -> None:
    described = (await client.get("/openapi.json")).json()["paths"]
    for path in [*described, "/v{version}/blocks.js", "/{nothing}/here"]:
        sent = re.sub(r"\{\w+\}", "a-stranger", path)
        await client.get(sent)
        await client.request("SEARCH", sent)
    for about in ("/healthz", "/readyz", "/metrics"):
        await client.get(about)
    exposed = (await client.get("/metrics")).text
    routes = set(re.findall(r'luot_request_seconds_count\{.*route="([^"]*)"', exposed))
    assert {*described, "/openapi.json", "/v{version}/blocks.js"} <= routes
    assert "other" in routes
    assert not {route for route in routes if "stranger" in route}
    assert not routes & {"/healthz", "/readyz", "/metrics", "", "none"}
    assert set(re.findall(r'luot_request_seconds_count\{.*method="([^"]*)"', exposed)) <= {
        *("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other")
    }
