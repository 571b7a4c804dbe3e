"""What stands between browsers and Luot: keeps what was asked, and may break a connection."""

import contextlib
import json
import socket
import threading
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.browser.portal import Asked


class Between:
    """Passes requests on to Luot, and answers back.

    asked     what browsers asked and Luot answered, in this order
    address   whom it names as the sender, as a trusted proxy does; '' for nobody
    breaking  whether the next hit is taken, counted and never answered
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked: list[Asked] = []
        self.address = ""
        self.breaking = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def hits(self) -> list[dict[str, Any]]:
        """Return the views that the script sent."""
        return [json.loads(asked.body) for asked in self.posts()]

    def posts(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST"]

    def images(self) -> list[Asked]:
        """Return the views that were sent as an image."""
        return [asked for asked in self.asked if asked.path == "/hit.gif"]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            while request := _message(near):
                asked = _asked(request)
                answer = self._answer(request)
                self.asked.append(asked)
                if asked.method == "POST" and self.breaking:
                    assert answer.startswith(b"HTTP/1.1 202"), answer
                    self.breaking = False
                    return
                near.sendall(answer)

    def _answer(self, request: bytes) -> bytes:
        # A connection for each, which Luot cannot have closed in the meantime.
        if self.address:
            line, _, rest = request.partition(b"\r\n")
            request = b"%b\r\nX-Forwarded-For: %b\r\n%b" % (line, self.address.encode(), rest)
        with socket.create_connection(("127.0.0.1", self._target)) as far:
            far.sendall(request)
            return _message(far)


def _asked(request: bytes) -> Asked:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    method, address, _ = line.split(" ")
    parts = urlsplit(address)
    named = (field.split(": ", 1) for field in fields if ": " in field)
    headers = {name.lower(): value for name, value in named}
    return Asked(method, unquote(parts.path), parse_qs(parts.query), headers, body)


def _message(of: socket.socket) -> bytes:
    """Return the next request or answer; '' at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := of.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    length = int(fields.get(b"content-length", 0))
    while len(body) < length or (
        fields.get(b"transfer-encoding") == b"chunked" and not body.endswith(b"0\r\n\r\n")
    ):
        if not (more := of.recv(65536)):
            break
        body += more
    return head + b"\r\n\r\n" + body
