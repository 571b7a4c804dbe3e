"""A receiver of OpenTelemetry's traces: OTLP over HTTP, decoded by the official protobufs."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class ReceivedSpan(NamedTuple):
    """What a test asks of a span; ids and links are bytes as they were sent."""

    service: str
    name: str
    id: tuple[bytes, bytes]
    parent: bytes
    links: frozenset[tuple[bytes, bytes]]
    attributes: dict[str, str]
    text: str


class OtlpReceiver:
    """Listens on a free port of the loopback interface and keeps every span."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                receiver.spans += _decoded(body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def environ(self) -> dict[str, str]:
        """What a process is told to send its traces here, soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, what: Callable[[ReceivedSpan], bool]) -> ReceivedSpan:
        """Return the first span of a kind, as soon as there is one."""
        deadline = time.monotonic() + 90
        while True:
            found = next((span for span in list(self.spans) if what(span)), None)
            if found is not None:
                return found
            names = sorted({f"{span.service} {span.name}" for span in self.spans})
            assert time.monotonic() < deadline, f"it did not come; there are {names}"
            time.sleep(0.05)


def _decoded(body: bytes) -> Iterator[ReceivedSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        about = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    about["service.name"],
                    span.name,
                    (span.trace_id, span.span_id),
                    span.parent_span_id,
                    frozenset((link.trace_id, link.span_id) for link in span.links),
                    {
                        one.key: one.value.string_value or str(one.value.int_value)
                        for one in span.attributes
                    },
                    str(span),
                )
