"""Whoever is woken: a server that keeps what Alertmanager sends it."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.drill.quiet import QuietServer


class Notice(NamedTuple):
    """What was said of one alert."""

    at: float
    receiver: str
    alert: str
    fingerprint: str
    firing: bool
    annotations: dict[str, str]


class Webhook:
    """Receives on a free port; `refuses` holds the receivers that are told to go away."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.refuses: set[str] = set()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver = self.path.strip("/")
                refused = receiver in webhook.refuses
                if not refused:
                    webhook.take(receiver, json.loads(body))
                self.send_response(400 if refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = QuietServer(Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def take(self, receiver: str, message: dict[str, Any]) -> None:
        for alert in message["alerts"]:
            self.notices.append(
                Notice(
                    time.monotonic(),
                    receiver,
                    alert["labels"]["alertname"],
                    alert["fingerprint"],
                    alert["status"] == "firing",
                    alert["annotations"],
                )
            )

    def first(self, alert: str, since: float) -> Notice | None:
        """Return the first notice since then that an alert fires."""
        for notice in tuple(self.notices):
            if notice.alert == alert and notice.firing and notice.at >= since:
                return notice
        return None

    def resolved(self, alert: str) -> bool:
        """Tell whether all that fired under this name was said to be over."""
        last = {
            notice.fingerprint: notice.firing for notice in self.notices if notice.alert == alert
        }
        return not any(last.values())

    def names(self, since: float, until: float) -> set[str]:
        """Return the alerts of which it was said between then and then that they fire."""
        return {one.alert for one in tuple(self.notices) if one.firing and since <= one.at <= until}
