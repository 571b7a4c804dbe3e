"""A page view from its request to the flush, as OpenTelemetry's receiver sees it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.otlp import OtlpReceiver
from tests.servers.system import System

ROOT = Path(__file__).parents[2]
READER = "203.0.113.77"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def traced(receiver: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("traced"), **receiver.environ)
    try:
        yield system.start()
    finally:
        system.stop()


def test_a_view_can_be_followed_from_its_request_to_the_flush(
    traced: System, receiver: OtlpReceiver
) -> None:
    traced.add_site("mytho")
    receiver.spans.clear()
    headers = {"X-Forwarded-For": READER, "traceparent": PARENT}
    assert traced.hit("mytho", "/a-page-of-this-test", **headers).status_code == 202

    request = receiver.wait_for(lambda span: span.name == "POST /api/event" and bool(span.links))
    assert request.service == "luot-ingest"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/event",
        "http.response.status_code": "202",
    }
    # Linked to the trace of whoever sent it, and not a part of it.
    assert {(trace.hex(), span.hex()) for trace, span in request.links} == {
        (PARENT[3:35], PARENT[36:52])
    }
    assert request.id[0].hex() != PARENT[3:35]

    append = receiver.wait_for(lambda span: request.id in span.links)
    assert (append.name, append.attributes["hits"]) == ("append", "1")
    batch = receiver.wait_for(lambda span: append.id in span.links)
    assert (batch.service, batch.name) == ("luot-ingest", "batch")
    fold = receiver.wait_for(lambda span: span.name == "fold" and batch.id in span.links)
    assert fold.attributes["partition"] == batch.attributes["partition"]
    flush = receiver.wait_for(lambda span: span.name == "flush" and batch.id in span.links)
    assert flush.service == "luot-aggregator"
    receiver.wait_for(
        lambda span: span.parent == flush.id[1] and span.name == "store INSERT counters"
    )


def test_a_request_of_the_api_has_its_queries_below_it(
    traced: System, receiver: OtlpReceiver
) -> None:
    traced.add_site("danang")
    traced.counter("danang")
    url = f"{traced.api.url}/api/admin/sites/danang"
    assert httpx.get(url).status_code == 401
    refused = receiver.wait_for(
        lambda span: span.attributes.get("http.response.status_code") == "401"
    )
    assert refused.name == "GET /api/admin/sites/{slug}"

    # Others are of no request: the API reads for its metrics, too.
    query = receiver.wait_for(
        lambda span: (
            span.name == "store SELECT counters"
            and any(
                asked.id == (span.id[0], span.parent) and asked.name == "GET /api/counter/{site}"
                for asked in list(receiver.spans)
            )
        )
    )
    assert query.attributes["db.operation.name"] == "SELECT"


def test_no_span_tells_of_a_reader(traced: System, receiver: OtlpReceiver) -> None:
    headers = {"X-Forwarded-For": READER, "User-Agent": "NobodyElseHasThis/1.0"}
    assert traced.hit("mytho", "/a-page-of-this-test", **headers).status_code == 202
    traced.counter("mytho", path="/a-page-of-this-test")
    receiver.wait_for(lambda span: span.name == "flush")
    for span in receiver.spans:
        for secret in (READER, "NobodyElse", "a-page-of-this-test", "mytho"):
            assert secret not in span.text


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_nothing_of_it_is_loaded_where_nobody_takes_traces() -> None:
    done = run(
        "import json, sys; import services.ingest.app, services.aggregator.serve;"
        "from services.runtime import tracing; tracing.begin('ingest', {});"
        # redis-py looks for the metrics of the SDK by itself, and loads them if they are there.
        "of = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'requests');"
        "print(json.dumps([m for m in sys.modules if m.startswith(of)]))"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_traces_that_cannot_be_made_are_an_error_at_the_start() -> None:
    done = run(
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None;"
        "from services.runtime import tracing;"
        "tracing.begin('ingest', {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9'})"
    )
    assert done.returncode == 1
    assert "install Luot with its extra 'tracing'" in done.stderr
