"""Attacks on the API, all from one address."""

import asyncio
import itertools
import time
from collections import Counter
from contextlib import AsyncExitStack

import httpx

from tests.attack.floods import Outcome, told
from tests.attack.target import ATTACKED, ATTACKER, OTHER, OWNER, PASSWORD, VIEWER, Target
from tests.servers.system import TOKEN

FROM_ATTACKER = {"X-Forwarded-For": ATTACKER}
ANSWER_SECONDS = 60.0
OWNERS = {"Authorization": f"Bearer {TOKEN}"}


async def wrong_passwords(target: Target, seconds: float, attempts: int = 150) -> Outcome:
    """Lock the administrator out; that one signs in all the while, from elsewhere."""
    answers: Counter[str] = Counter()
    until = time.monotonic() + seconds
    async with _client(target) as client:
        for number in range(attempts):
            body = {"name": OWNER, "password": f"mật khẩu sai {number}"}
            answer = await client.post("/api/admin/sign-in", json=body, headers=FROM_ATTACKER)
            answers[str(answer.status_code)] += 1
            if time.monotonic() > until:
                break
        # Whoever knows the password comes from an address that nobody has seen.
        body = {"name": OWNER, "password": PASSWORD}
        elsewhere = {"X-Forwarded-For": "203.0.113.201"}
        right = await client.post("/api/admin/sign-in", json=body, headers=elsewhere)
    problem = f"the right password from elsewhere was answered {right.status_code}"
    return Outcome(told(answers), () if right.status_code == 200 else (problem,))


async def long_paths(target: Target, seconds: float, requests: int = 5000) -> Outcome:
    """Make the API remember the numbers of pages that nobody wrote."""
    numbers = iter(range(requests))
    until = time.monotonic() + seconds
    answers: Counter[str] = Counter()

    async def ask() -> None:
        async with _client(target) as client:
            for number in numbers:
                if time.monotonic() > until:
                    return
                path = f"/{number:x}/" + "b" * 1800
                names = [f"{path}{more}" for more in range(3)]
                try:
                    answer = await client.get(f"/api/counter/{ATTACKED}", params={"path": names})
                except httpx.TransportError:
                    answers["no answer"] += 1
                else:
                    answers[str(answer.status_code)] += 1

    await asyncio.gather(*(ask() for _ in range(8)))
    return Outcome(told(answers))


async def heavy_queries(target: Target, seconds: float, at_once: int = 24) -> Outcome:
    """Take all turns of the queries on a public dashboard; an owner asks about another site."""
    until = time.monotonic() + min(seconds, 30)
    answers: Counter[str] = Counter()
    wanted = "/api/v1/stats/breakdown"
    number = itertools.count()

    async def ask() -> None:
        async with _client(target) as client:
            while time.monotonic() < until:
                query = {
                    "site_id": ATTACKED,
                    "period": "12mo",
                    "property": "event:page",
                    "metrics": "visits,bounce_rate,visit_duration",
                    "filters": f"event:page!=*a{next(number)}*b*c*",
                }
                answer = await client.get(wanted, params=query, headers=FROM_ATTACKER)
                answers[str(answer.status_code)] += 1

    async def owner() -> Counter[str]:
        got: Counter[str] = Counter()
        async with _client(target) as client:
            while time.monotonic() < until:
                query = {"site_id": OTHER, "period": "30d", "property": "event:page"}
                got[str((await client.get(wanted, params=query, headers=OWNERS)).status_code)] += 1
        return got

    asking = asyncio.gather(*(ask() for _ in range(at_once)))
    got = await owner()
    await asking
    refused = got.total() - got["200"]
    problems = (f"an owner's queries of another site: {dict(got)}",) if refused else ()
    return Outcome(f"{told(answers)}; an owner meanwhile: {told(got)}", problems)


async def followers(target: Target, seconds: float) -> Outcome:
    """Take all places of those who follow the log; an owner wants to follow, too."""
    async with AsyncExitStack() as open_:
        client = await open_.enter_async_context(_client(target))
        body = {"name": VIEWER, "password": PASSWORD}
        signed = await client.post("/api/admin/sign-in", json=body)
        assert signed.status_code == 200, signed.text
        answers: Counter[str] = Counter()
        for _ in range(12):
            stream = client.stream("GET", "/api/admin/tail", params={"site": ATTACKED})
            answers[str((await open_.enter_async_context(stream)).status_code)] += 1
        owners = httpx.AsyncClient(base_url=target.api.url, headers=OWNERS, timeout=ANSWER_SECONDS)
        owner = await open_.enter_async_context(owners)
        place = await open_.enter_async_context(owner.stream("GET", "/api/admin/tail"))
        status = place.status_code
    problems = () if status == 200 else (f"an owner who follows the log was answered {status}",)
    return Outcome(told(answers), problems)


MALFORMED = {
    "no Host": b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "two lengths": b"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\n\r\n{}",
    "length and chunks": b"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": b"GET /healthz HTTP/1.1\nHost: a\n\n",
}


async def malformed(target: Target, seconds: float) -> Outcome:
    """Send what is no HTTP, or two things at once."""
    problems, answers = [], Counter[str]()
    for service in (target.ingest, target.api, target.aggregator):
        for name, request in MALFORMED.items():
            status = await _raw(service.port, request)
            answers[f"{name} {status}"] += 1
            if status != "400" and name != "a bare line feed":
                problems.append(f"{service.name} answered {status} to {name}")
    return Outcome(told(answers), tuple(problems))


async def _raw(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await reader.readline()
    finally:
        writer.close()
    return line.split()[1].decode() if line else "closed"


def _client(target: Target) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=target.api.url, timeout=ANSWER_SECONDS)
