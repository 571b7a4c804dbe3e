"""A portal and a Luot on two names of one small server, which records what browsers ask."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from services.api.counter import routes
from services.widget import scripts

PORTAL = "portal.example"
LUOT = "thongke.example"
SITE = "mytho"
NUMBERS = {
    "online": 12,
    "bots": 3,
    "guests": 12,
    "today": 6325,
    "yesterday": 7097,
    "this_week": 20000,
    "last_week": 30000,
    "this_month": 119944,
    "last_month": 108517,
    "this_year": 119945,
    "last_year": 1845672,
    "total": 8307145,
    "peak": {"online": 77, "at": None},
}
TOP = [{"path": f"/bai-{n}", "views": 1000 - n} for n in range(50)]


class Asked(NamedTuple):
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Portal:
    """Put up pages, say what Luot answers, and look at what was asked.

    fault    what Luot does instead of answering under /api: '500', 'hang', 'garbage' (no
             JSON) or 'nonsense' (JSON without numbers)
    others   the numbers of other sites, by slug
    host     the host of all sites, as the list of most read pages has it, and hash_routes
    longest  the longest address that Luot takes, in bytes
    stalled  paths that are not answered for as long as they stand here
    """

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        self.numbers: dict[str, Any] = dict(NUMBERS)
        self.others: dict[str, dict[str, Any]] = {}
        self.top: list[dict[str, Any]] = TOP
        self.host = "hue.example"
        self.hash_routes = False
        self.fault = ""
        self.longest = 1 << 16
        self.stalled: set[str] = set()
        self.stopping = threading.Event()
        self.asked: list[Asked] = []
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"portal": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.luot = f"http://{LUOT}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str, host: str = PORTAL) -> str:
        return f"http://{host}:{self.port}{path}"

    def tag(self, attributes: str = "", path: str = "/counter.js") -> str:
        """Return the script tag, as `luot snippet` prints it."""
        return f'<script async src="{self.luot}{path}" data-site="{SITE}" {attributes}></script>'

    def page(
        self,
        path: str,
        body: str = "",
        attributes: str = "",
        *,
        lang: str = "vi",
        head: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Put up a page; it carries the script unless another head is given."""
        head = self.tag(attributes) if head is None else head
        text = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
            f'<link rel="icon" href="data:,"><title>Cổng thông tin</title>{head}</head>'
            f"<body>{body}</body></html>"
        )
        self.pages[path] = (text, headers or {})

    def record(self, asked: Asked) -> None:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()

    def views(self) -> list[dict[str, Any]]:
        """Return the events that were sent."""
        return [json.loads(asked.body) for asked in self.of("POST", "/e")]

    def paths(self) -> list[str]:
        """Return the paths of the events that were sent."""
        return [urlsplit(view["u"]).path for view in self.views()]

    def images(self) -> list[Asked]:
        """Return the hits that were sent as an image."""
        return self.of("GET", "/hit.gif")

    def reads(self) -> list[Asked]:
        """Return the reads of the numbers."""
        return self.of("GET", f"/api/counter/{SITE}")

    def of(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def wait(self, *, views: int | None = None, reads: int | None = None) -> None:
        """Return as soon as so many were received; fail after two minutes or when more were."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    (views is None or len(self.views()) >= views)
                    and (reads is None or len(self.reads()) >= reads)
                ),
                timeout=120,
            )
        assert views in (None, len(self.views())), self.views()
        assert reads in (None, len(self.reads())), self.reads()

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    portal: Portal

    def do_GET(self) -> None:
        asked = self._record()
        name = asked.path.rpartition("/")[2]
        while asked.path in self.portal.stalled and not self.portal.stopping.wait(0.02):
            pass
        if name in scripts.FILES:
            self._answer(200, scripts.built(name), scripts.FILES[name])
        elif asked.path.startswith("/api/"):
            self._luot(asked)
        elif asked.path == "/hit.gif":
            self._answer(200, b"GIF89a", "image/gif")
        elif asked.path in self.portal.pages:
            page, headers = self.portal.pages[asked.path]
            self._answer(200, page.encode(), "text/html; charset=utf-8", headers)
        else:
            self._answer(404, b"", "text/plain")

    def do_POST(self) -> None:
        asked = self._record()
        self._luot(asked)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _luot(self, asked: Asked) -> None:
        if len(self.path) > self.portal.longest:
            self._answer(414, b"", "text/plain")
        elif self.portal.fault == "hang":
            self.portal.stopping.wait(60)
        elif self.portal.fault == "500":
            self._answer(500, b"{}", "application/json")
        elif self.portal.fault == "garbage":
            self._answer(200, b"\x00<html>null", "application/json")
        elif self.portal.fault == "nonsense":
            self._answer(200, b'{"total":"many","display":7}', "application/json")
        elif asked.method == "POST":
            self._answer(202, b"ok", "text/plain")
        else:
            top = {
                "pages": self.portal.top[: int(asked.query.get("limit", ["10"])[0])],
                "host": self.portal.host,
                "hash_routes": self.portal.hash_routes,
            }
            numbers = self.portal.others.get(asked.path.rpartition("/")[2], self.portal.numbers)
            told = top if asked.path.startswith("/api/top/") else numbers
            cached = {"Cache-Control": routes.HEADERS["Cache-Control"]}
            self._answer(200, json.dumps(told).encode(), "application/json", cached)

    def _record(self) -> Asked:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, max_num_fields=200)
        asked = Asked(self.command, unquote(parts.path), query, headers, body)
        self.portal.record(asked)
        return asked

    def _answer(
        self, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in {"Cache-Control": "no-cache", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
