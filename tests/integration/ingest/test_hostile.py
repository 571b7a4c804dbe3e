"""Whatever is sent, the answer is a documented one: never a 500, never a traceback."""

import asyncio
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.ingest.app import Ingest
from services.ingest.http import MAX_BODY
from services.ingest.settings import IngestSettings
from services.model.site import Site
from tests.integration.ingest.conftest import CHROME, SITE, Hand, Log
from tests.servers.redis import RedisServer

Send = Callable[..., httpx.Response]

LIKELY = st.sampled_from(
    ["pageview", "mytho", "demo", "https://mytho.example/a?tabid=1", "https://x/%ff%00/../", ""]
)
TEXT = LIKELY | st.text(max_size=60)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
FIELD = st.sampled_from(["n", "name", "u", "url", "d", "domain", "r", "referrer", "t", "p"])
EVENT = st.dictionaries(FIELD, TEXT | VALUE, max_size=8).map(lambda value: json.dumps(value))
BODY = (
    EVENT.map(lambda text: text.encode(errors="surrogatepass"))
    | st.binary(max_size=200)
    | st.integers(0, 2 * MAX_BODY).map(lambda size: b"[" * size)
)
HEADER = st.sampled_from(
    ["user-agent", "x-forwarded-for", "referer", "dnt", "sec-gpc", "sec-purpose", "content-length"]
)
HEADERS = st.dictionaries(HEADER, st.binary(max_size=80), max_size=5)
METHOD = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "BREW"])
PATH = st.sampled_from(["/api/event", "/e", "/hit.gif", "/", "/api", "/healthz", "/e/"])

DOCUMENTED = {200, 202, 204, 400, 404, 405, 413}


@pytest.fixture(scope="module")
def send(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    log = Log(server)
    log.redis.flushall()
    log.publish(SITE, Site(slug="demo", hosts=("*",)))
    log.redis.close()
    spool = tmp_path_factory.mktemp("hostile") / "spool"
    settings = IngestSettings.read({}, redis_url=server.url, group_commit_ms=0, spool=spool)
    ingest = Ingest(settings, clock=Hand())
    with asyncio.Runner() as runner:
        runner.run(ingest.start())
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=ingest), base_url="http://ingest"
        )

        def request(
            method: str, path: str, body: bytes = b"", headers: dict[str, bytes] | None = None
        ) -> httpx.Response:
            agent = {b"user-agent": CHROME.encode()}
            given = {name.encode(): value for name, value in (headers or {}).items()}
            return runner.run(
                client.request(method, path, content=body, headers={**agent, **given})
            )

        yield request
        runner.run(client.aclose())
        runner.run(ingest.stop())


def assert_documented(answer: httpx.Response) -> None:
    assert answer.status_code in DOCUMENTED, answer.text
    as_json = answer.content and answer.headers.get("content-type") == "application/json"
    if as_json and answer.status_code != 200:
        assert answer.json()["errors"]


hostile = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@hostile
@given(body=BODY)
@example(body=b'{"n":"pageview","u":"https://mytho.example/\xff","d":"mytho"}')
@example(body=b'{"n":"pageview","u":"https://mytho.example/\\udfff","d":"mytho"}')
@example(body=b'{"n":"pageview","u":"https://\\u0000/","d":"demo"}')
@example(body=b'{"n":"pageview","u":"https://[::1%25]:99999999/","d":"demo"}')
@example(body=b'{"n":"pageview","u":"https://demo.example:x/","d":",,,demo"}')
@example(body=b'{"n":"pageview","u":"https://a/","d":"demo","r":"https://[v1.a]/"}')
def test_no_body_breaks_ingest(send: Send, body: bytes) -> None:
    assert_documented(send("POST", "/api/event", body))


@hostile
@given(headers=HEADERS)
def test_no_header_breaks_ingest(send: Send, headers: dict[str, bytes]) -> None:
    event = b'{"n":"pageview","u":"https://mytho.example/","d":"mytho"}'
    assert_documented(send("POST", "/e", event, headers))
    assert_documented(send("GET", "/hit.gif?d=mytho", b"", headers))


@hostile
@given(fields=st.lists(st.tuples(FIELD | TEXT, st.binary(max_size=80)), max_size=60))
@example(fields=[("u", b"https://mytho.example/\xff\x00"), ("d", b"\xff")])
@example(fields=[("u", b"//["), ("d", b"mytho")])
@example(fields=[("u", b"/x"), ("d", b"mytho")])
def test_no_query_breaks_ingest(send: Send, fields: list[tuple[str, bytes]]) -> None:
    query = "&".join(
        f"{quote(name.encode(errors='replace'))}={quote(value)}" for name, value in fields
    )
    for referer in (b"", b"https://mytho.example/", b"http://["):
        answer = send("GET", f"/hit.gif?{query}", b"", {"referer": referer} if referer else {})
        assert_documented(answer)
        assert len(answer.content) == 43


@hostile
@given(method=METHOD, path=PATH)
def test_no_method_or_path_breaks_ingest(send: Send, method: str, path: str) -> None:
    assert_documented(send(method, path, b"{}"))


def test_after_all_of_it_hits_are_still_taken(send: Send) -> None:
    event = b'{"n":"pageview","u":"https://mytho.example/","d":"mytho"}'
    answer = send("POST", "/e", event, {"user-agent": CHROME.replace("120", "121").encode()})
    assert (answer.status_code, answer.headers.get("x-luot-dropped")) == (202, None)
