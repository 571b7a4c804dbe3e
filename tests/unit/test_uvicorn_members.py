"""uvicorn is pinned to one version, for services/http builds on members that it does not document.

A test that fails here after uvicorn was raised says what to look at before the pin may follow.
"""

import ast
import asyncio
import inspect
import textwrap
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server, ServerState

from services.http import response
from services.http.inline import InlineCycle
from services.http.protocol import LimitedHttp
from services.http.response import PrebuiltResponse

METHODS = {
    # services/http/protocol.py overrides or calls these.
    "HttpToolsProtocol.connection_made": "(self, transport)",
    "HttpToolsProtocol.connection_lost": "(self, exc)",
    "HttpToolsProtocol.data_received": "(self, data)",
    "HttpToolsProtocol.on_message_begin": "(self)",
    "HttpToolsProtocol.on_url": "(self, url)",
    "HttpToolsProtocol.on_header": "(self, name, value)",
    "HttpToolsProtocol.on_headers_complete": "(self)",
    "HttpToolsProtocol.on_body": "(self, body)",
    "HttpToolsProtocol.on_message_complete": "(self)",
    "HttpToolsProtocol.pause_writing": "(self)",
    "HttpToolsProtocol.resume_writing": "(self)",
    "HttpToolsProtocol.send_400_response": "(self, msg)",
    "HttpToolsProtocol._start_asgi_task": "(self, cycle, app)",
    # services/http/inline.py calls it when a response was written.
    "HttpToolsProtocol.on_response_complete": "(self)",
    # services/http/server.py and services/standalone/server.py.
    "Server.run": "(self, sockets)",
    "Server.serve": "(self, sockets)",
    "Server.capture_signals": "(self)",
}
PROTOCOL: Mapping[str, type] = {
    "app": object,
    "client": tuple,
    "connections": set,
    "cycle": type(None),
    "expect_100_continue": bool,
    "flow": FlowControl,
    "headers": list,
    "loop": asyncio.AbstractEventLoop,
    "server_state": ServerState,
    "transport": asyncio.Transport,
    "url": bytes,
}
"""Attributes of a connection that has begun to read a request, before there is a cycle."""
PARSER = ("get_http_version", "get_method", "should_keep_alive", "should_upgrade")
FLOW = ("read_paused", "write_paused")
CYCLE: Mapping[str, type] = {
    "default_headers": list,
    "disconnected": bool,
    "flow": FlowControl,
    "keep_alive": bool,
    "message_event": asyncio.Event,
    "on_response": object,
    "response_complete": bool,
    "response_started": bool,
    "scope": dict,
    "transport": asyncio.Transport,
    "waiting_for_100_continue": bool,
}
"""Attributes of a cycle that services/http/response.py reads and sets in place of `send`."""
CYCLE_OF_CONNECTION = {"disconnected", "keep_alive", "message_event", "response_complete"}
"""What uvicorn's connection may touch of a cycle that is answered inline: an InlineCycle."""
ONLY_WITH_A_TASK = {"body", "more_body"}
"""What it touches besides in `on_body` and `on_message_complete`, which then are not called."""


HELLO = PrebuiltResponse(204, (), b"")


def advice(member: str, where: str) -> str:
    return (
        f"uvicorn {uvicorn.__version__}: {member} is not what {where} relies on. Compare"
        " uvicorn/protocols/http/httptools_impl.py and uvicorn/server.py of both versions, adapt"
        " services/http, then run tests/integration/test_http_protocol.py, test_http_inline.py,"
        " test_http_response.py and tests/fuzz/test_http.py before the pin in pyproject.toml is"
        " raised"
    )


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)}.get(name, default)

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.fixture
async def connection() -> HttpToolsProtocol:
    """Return a connection of uvicorn's own class that has read the first line of a request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await HELLO.send({}, send)

    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    protocol = HttpToolsProtocol(config, ServerState(), {})
    protocol.connection_made(Transport())
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    return protocol


def method(name: str) -> Any:
    owner, _, member = name.partition(".")
    return getattr({"HttpToolsProtocol": HttpToolsProtocol, "Server": Server}[owner], member, None)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_arguments_that_are_passed(name: str) -> None:
    found = method(name)
    assert callable(found), advice(name, "services/http")
    parameters = ", ".join(inspect.signature(inspect.unwrap(found)).parameters)
    assert f"({parameters})" == METHODS[name], advice(name, "services/http")


def test_every_method_that_is_overridden_is_in_the_list() -> None:
    ours = {name for name in vars(LimitedHttp) if callable(vars(LimitedHttp)[name])}
    overridden = {name for name in ours if hasattr(HttpToolsProtocol, name)} - {"__init__"}
    named = {name.partition(".")[2] for name in METHODS}
    assert overridden <= named, "an override of a new member: name it in METHODS"


def test_no_private_name_of_ours_is_one_of_theirs() -> None:
    """A member that a new version of uvicorn calls like one of ours would be overridden."""
    ours = {name for name in vars(LimitedHttp) if not name.startswith("__")}
    ours |= attributes_of("self", inspect.getsource(LimitedHttp))
    ours = {name for name in ours if name.startswith("_")}
    theirs = attributes_of("self", inspect.getsource(HttpToolsProtocol))
    assert ours & theirs == {"_start_asgi_task"}, advice("a private name", "LimitedHttp")


async def test_a_connection_has_the_attributes_that_are_read(
    connection: HttpToolsProtocol,
) -> None:
    for name, kind in PROTOCOL.items():
        where = "services/http/protocol.py"
        assert hasattr(connection, name), advice(f"HttpToolsProtocol.{name}", where)
        assert isinstance(getattr(connection, name), kind), advice(
            f"HttpToolsProtocol.{name}", where
        )
    for name in PARSER:
        assert callable(getattr(connection.parser, name, None)), advice(
            f"HttpToolsProtocol.parser.{name}", "services/http/protocol.py"
        )
    for name in FLOW:
        assert getattr(connection.flow, name, None) is False, advice(
            f"FlowControl.{name}", "services/http/protocol.py"
        )
    headers = connection.server_state.default_headers
    assert isinstance(headers, list), advice("ServerState.default_headers", "PrebuiltResponse")


async def test_a_cycle_has_the_attributes_that_are_read_and_set(
    connection: HttpToolsProtocol,
) -> None:
    connection.data_received(b"Host: x\r\n\r\n")
    cycle = connection.cycle
    for name, kind in CYCLE.items():
        where = "services/http/response.py"
        assert hasattr(cycle, name), advice(f"RequestResponseCycle.{name}", where)
        assert isinstance(getattr(cycle, name), kind), advice(f"RequestResponseCycle.{name}", where)
    await asyncio.gather(*connection.tasks)


async def test_a_response_is_written_with_what_uvicorn_itself_would_set(
    connection: HttpToolsProtocol,
) -> None:
    """uvicorn sets nothing but this, so nothing is left undone when its `send` is not called."""
    source = inspect.getsource(RequestResponseCycle.send)
    assigned = {
        target.attr
        for node in ast.walk(ast.parse(textwrap.dedent(source)))
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
    }
    of_one_send = {"chunked_encoding", "expected_content_length", "keep_alive"}
    assert assigned - of_one_send == {
        "response_started",
        "response_complete",
        "waiting_for_100_continue",
    }, advice("what RequestResponseCycle.send sets", "services/http/response.py")
    connection.data_received(b"Host: x\r\n\r\n")
    assert response.write(connection.cycle, HELLO)
    for task in connection.tasks:
        task.cancel()


def test_a_connection_touches_only_what_an_inline_cycle_has() -> None:
    touched = attributes_of("self.cycle", inspect.getsource(HttpToolsProtocol))
    assert touched == CYCLE_OF_CONNECTION | ONLY_WITH_A_TASK, advice(
        f"{sorted(touched)} of a cycle", "services/http/inline.py"
    )
    cycle = InlineCycle(SimpleNamespace(), None)  # type: ignore[arg-type]
    for name in CYCLE_OF_CONNECTION:
        assert hasattr(cycle, name), f"InlineCycle has no {name}"


def test_a_status_line_is_one_whole_line() -> None:
    lines = getattr(httptools_impl, "STATUS_LINE", {})
    assert lines.get(404) == b"HTTP/1.1 404 Not Found\r\n", advice("STATUS_LINE", "services/http")


async def test_a_server_says_when_it_has_started_and_ends_when_told(
    connection: HttpToolsProtocol,
) -> None:
    server = Server(connection.config)
    for name in ("started", "should_exit"):
        assert getattr(server, name, None) is False, advice(f"Server.{name}", "services/http")


def attributes_of(owner: str, source: str) -> set[str]:
    """Return the attributes that a text of Python names of an expression."""
    return {
        node.attr
        for node in ast.walk(ast.parse(textwrap.dedent(source)))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == owner
    }
