"""The client of `luot replay` against httpx: processor time of the sender for one hit."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import httpx
import uvloop

from benchmarks import workload
from benchmarks.measure import Result, runs, summary
from benchmarks.steps import body
from services.traffic.client import EVENT_PATH, IngestAddress, IngestConnection
from services.traffic.sender import PageView

CONNECTIONS = 32
CEILING = "Luot's connection"

# The least that a server can do: the numbers below are about the client alone.
_SERVER = """
import socket, uvicorn

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})

with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="error", lifespan="off", loop="uvloop")
    uvicorn.Server(config).run([listening])
"""

Post = Callable[[PageView], Awaitable[int]]


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both against the same bare server, in turn."""
    views = workload.page_views(500 if quick else 2_000)
    timed: dict[str, list[float]] = {CEILING: [], "httpx.AsyncClient": []}
    with _server() as url:
        for _ in range(runs(quick)):
            timed[CEILING].append(uvloop.run(_run(_ours(url), views)))
            timed["httpx.AsyncClient"].append(uvloop.run(_run(_httpx(url), views)))
    return iter([summary(name, values, timed, CEILING) for name, values in timed.items()])


async def _run(
    clients: contextlib.AbstractAsyncContextManager[Sequence[Post]], views: Sequence[PageView]
) -> float:
    """Return µs of this process's time for one hit, connections already open."""
    async with clients as posts:
        await _send(posts, views[: 2 * CONNECTIONS])
        started = time.process_time()
        await _send(posts, views)
        return (time.process_time() - started) * 1e6 / len(views)


async def _send(posts: Sequence[Post], views: Sequence[PageView]) -> None:
    waiting = iter(views)

    async def client(post: Post) -> None:
        for view in waiting:
            if (status := await post(view)) != 202:
                raise RuntimeError(f"the server answered {status}")

    async with asyncio.TaskGroup() as tasks:
        for post in posts:
            tasks.create_task(client(post))


@contextlib.asynccontextmanager
async def _ours(url: str) -> AsyncIterator[Sequence[Post]]:
    connections = [IngestConnection(IngestAddress.at(url)) for _ in range(CONNECTIONS)]

    def post_on(connection: IngestConnection) -> Post:
        async def post(view: PageView) -> int:
            answer = await connection.post(
                body(view), user_agent=view.user_agent, address=view.address
            )
            return answer.status

        return post

    yield [post_on(connection) for connection in connections]
    for connection in connections:
        connection.close()


@contextlib.asynccontextmanager
async def _httpx(url: str) -> AsyncIterator[Sequence[Post]]:
    """Open one client a connection: a shared pool searches all of its connections for each hit."""

    def post_with(client: httpx.AsyncClient) -> Post:
        async def post(view: PageView) -> int:
            headers = {
                "Content-Type": "text/plain",
                "User-Agent": view.user_agent,
                "X-Forwarded-For": view.address,
            }
            answer = await client.post(url + EVENT_PATH, content=body(view), headers=headers)
            return answer.status_code

        return post

    async with contextlib.AsyncExitStack() as clients:
        yield [
            post_with(
                await clients.enter_async_context(httpx.AsyncClient(verify=False, trust_env=False))
            )
            for _ in range(CONNECTIONS)
        ]


@contextlib.contextmanager
def _server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
