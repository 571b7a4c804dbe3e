"""Ingest: each step of a hit's path, and whole requests into a real log."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from redis.asyncio import Redis

from benchmarks import workload
from benchmarks.measure import Result, compare, runs, summary
from services.embedded.valkey import EmbeddedValkey
from services.ingest import event
from services.ingest.app import Ingest
from services.ingest.context import PipelineContext, Step
from services.ingest.draft import Draft
from services.ingest.intake import Intake
from services.ingest.pipeline import STEPS, process
from services.ingest.settings import IngestSettings
from services.model.site import Site
from services.state import keys
from services.traffic.sender import PageView

UNDER_WAY = 512
"""Requests at once; each waits for a group commit."""
CEILING = "msgspec.json.decode of the body"

Request = tuple[dict[str, Any], bytes]


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure with an embedded Valkey, `appendfsync always`."""
    return iter(uvloop.run(_measure(quick)))


async def _measure(quick: bool) -> list[Result]:
    views = workload.page_views(2_000 if quick else 20_000)
    async with log() as settings:
        steps = await _steps(views, settings, runs(quick))
        return [*steps, await _requests(views, settings, runs(quick))]


@asynccontextmanager
async def log() -> AsyncIterator[IngestSettings]:
    """Run a Valkey that knows one site, in a temporary folder; yield ingest's settings for it."""
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        valkey = EmbeddedValkey(Path(folder) / "valkey")
        await valkey.start()
        try:
            async with Redis.from_url(valkey.url) as redis:
                site = Site(slug=workload.SITE, hosts=(workload.HOST,))
                await redis.hset(keys.SITES, workload.SITE, msgspec.json.encode(site))
            yield IngestSettings.read({}, redis_url=valkey.url, spool=Path(folder) / "spool")
        finally:
            await valkey.stop()


def _clock() -> int:
    return workload.START_MS


async def _steps(views: Sequence[PageView], settings: IngestSettings, count: int) -> list[Result]:
    intake = Intake(settings, _clock)
    await intake.start()
    try:
        # Not public, and not put together a second time here: the steps ask what they always ask.
        return await _timed_steps(views, intake._context, count)
    finally:
        await intake.stop()


async def _timed_steps(
    views: Sequence[PageView], parts: PipelineContext, count: int
) -> list[Result]:
    bodies = [body(view) for view in views]
    drafts = [_draft(view) for view in views]
    # The first hit of a day asks Redis; the others ask nobody, and those are measured.
    await process(drafts[0], parts)
    works: dict[str, Callable[[], object]] = {
        CEILING: lambda: [msgspec.json.decode(sent) for sent in bodies],
        "from_body": lambda: [event.from_body(sent) for sent in bodies],
    }
    for step in STEPS:
        works[step.__name__] = partial(_each, step, drafts, parts)
    return compare(works, len(views), count, CEILING)


def _each(step: Step, drafts: Sequence[Draft], parts: PipelineContext) -> None:
    for draft in drafts:
        step(draft, parts)


async def _requests(views: Sequence[PageView], settings: IngestSettings, count: int) -> Result:
    """Time requests from the ASGI call to the answer, after the append that fsync made durable."""
    ingest = Ingest(settings)
    await ingest.start()
    requests = [_request(view) for view in views]
    values = []
    try:
        for _ in range(count):
            started = time.perf_counter()
            await _send(ingest, requests)
            values.append((time.perf_counter() - started) * 1e6 / len(requests))
    finally:
        await ingest.stop()
    return summary(f"whole request, {UNDER_WAY} under way, answered when durable", values)


async def _send(ingest: Ingest, requests: Sequence[Request]) -> None:
    waiting = iter(requests)

    async def client() -> None:
        for scope, content in waiting:
            sent: list[Any] = []

            async def receive(content: bytes = content) -> dict[str, Any]:
                return {"type": "http.request", "body": content, "more_body": False}

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            await ingest(scope, receive, send)
            if sent[0]["status"] != 202:
                raise RuntimeError(f"ingest answered {sent[0]['status']}: {sent[1]['body']!r}")

    async with asyncio.TaskGroup() as clients:
        for _ in range(UNDER_WAY):
            clients.create_task(client())


def _request(view: PageView) -> Request:
    content = body(view)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/e",
        "query_string": b"",
        "client": ("127.0.0.1", 50_000),
        "headers": [
            (b"user-agent", view.user_agent.encode()),
            (b"x-forwarded-for", view.address.encode()),
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(content)).encode()),
        ],
    }
    return scope, content


def body(view: PageView) -> bytes:
    """Return what the script of a page sends."""
    return msgspec.json.encode(
        {"n": "pageview", "u": view.url, "d": workload.SITE, "r": view.referrer}
    )


def _draft(view: PageView) -> Draft:
    return Draft(
        event=event.from_body(body(view)),
        headers={b"user-agent": view.user_agent.encode()},
        peer="127.0.0.1",
        forwarded=view.address,
        at=workload.START_MS + int(view.after * 1000),
    )
