"""What cannot be had or broken here, as its exporter would say it: text in Prometheus's format."""

import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from tests.drill.quiet import QuietServer

if TYPE_CHECKING:
    from tests.drill.plant import Plant


class Feed:
    """Serves values that a drill may change."""

    def __init__(self, values: dict[str, float]) -> None:
        self.values = dict(values)
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lines = [f"{name} {value}\n" for name, value in feed.values.items()]
                body = "".join(lines).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = QuietServer(Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.target = f"127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


NODE = {
    'node_filesystem_avail_bytes{device="/dev/vda1",fstype="ext4",mountpoint="/"}': 6e10,
    'node_filesystem_size_bytes{device="/dev/vda1",fstype="ext4",mountpoint="/"}': 1e11,
    "node_memory_MemAvailable_bytes": 1e9,
    "node_memory_MemTotal_bytes": 2e9,
    "node_timex_offset_seconds": 0.0004,
    "node_timex_sync_status": 1,
}
STORE = {
    'luot_store_free_bytes{drill="fed"}': 6e10,
    'luot_store_disk_bytes{drill="fed"}': 1e11,
}


class Fed:
    """A fault that is told instead of caused: values of one of the feeds."""

    def __init__(self, what: str, values: Mapping[str, float]) -> None:
        self.__doc__ = what
        self._values = values

    @asynccontextmanager
    async def __call__(self, plant: "Plant") -> AsyncIterator[None]:
        """Tell the values until it is over."""
        feed = plant.node if self._values.keys() <= plant.node.values.keys() else plant.fed
        before = dict(feed.values)
        feed.values.update(self._values)
        yield
        feed.values.update(before)
