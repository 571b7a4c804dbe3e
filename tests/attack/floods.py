"""Attacks on ingest, all but one from one address."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import httpx
import msgspec
from redis import Redis

from services.ingest.settings import IngestSettings
from services.traffic.client import IngestAddress, IngestConnection, LostAnswerError
from tests.attack.target import ATTACKED, CROWDED, Target

CONNECTIONS = 24
GATEWAY = "203.0.113.77"
CROWD = int(ip_address("11.0.0.0"))
BALLAST = 1_000_000
SITE_ROOM = IngestSettings().site_room
FILLED_A_SECOND = 128 << 10
"""Bytes of the log that a flood surely takes in a second, on a slow machine that does much else."""
MOST_ROUNDS = 10
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class Outcome(NamedTuple):
    """What an attack was answered, and which of its own bounds it broke."""

    told: str
    problems: tuple[str, ...] = ()


class Shot(NamedTuple):
    """A hit as an attacker invents it."""

    path: str
    agent: str


async def fire(
    target: Target,
    shots: Iterator[Shot],
    seconds: float,
    address: str | Iterator[str],
    site: str = ATTACKED,
) -> Counter[str]:
    """Send hits from one address as fast as it goes, at most so long; return the answers.

    Each attack has an address of its own: what one did must not use up the budget of the next.
    """
    addresses = itertools.repeat(address) if isinstance(address, str) else address
    server = IngestAddress.at(target.ingest.url)
    until = time.monotonic() + seconds
    answers: Counter[str] = Counter()

    async def send() -> None:
        connection = IngestConnection(server)
        for shot in shots:
            if time.monotonic() > until:
                break
            url = f"https://{site}.example{shot.path}"
            body = msgspec.json.encode({"n": "pageview", "d": site, "u": url})
            try:
                answer = await connection.post(body, user_agent=shot.agent, address=next(addresses))
            except (LostAnswerError, OSError):
                answers["no answer"] += 1
                await asyncio.sleep(0.05)
            else:
                answers[f"{answer.status} {answer.dropped}".strip()] += 1
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(send())
    return answers


def browser(number: int) -> str:
    """Return a User-Agent that nobody else has."""
    version = f"{100 + number % 50}.0.{number}.0"
    return (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        f" Chrome/{version} Safari/537.36"
    )


def phone(number: int) -> str:
    """Return the User-Agent of a reader's phone, which nobody else has."""
    return (
        f"Mozilla/5.0 (Linux; Android 14; SM-A{number:04}) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/142.0.0.0 Mobile Safari/537.36"
    )


async def bots(target: Target, seconds: float) -> Outcome:
    """Fill the log with hits of bots."""
    shots = (Shot(f"/tin-tuc/bai-{number}", GOOGLEBOT) for number in itertools.count())
    return Outcome(told(await fire(target, shots, seconds, "198.51.100.11")))


async def paths(target: Target, seconds: float, invented: int = 20_480) -> Outcome:
    """Use up the day's paths with invented ones."""
    shots = (Shot(f"/khong-co/{number:x}", browser(number % 500)) for number in range(invented))
    return Outcome(told(await fire(target, shots, seconds, "198.51.100.12")))


async def visits(target: Target, seconds: float) -> Outcome:
    """Invent visits with a new User-Agent for each hit."""
    shots = (Shot("/", browser(number)) for number in itertools.count())
    return Outcome(told(await fire(target, shots, seconds, "198.51.100.13")))


async def memory(target: Target, seconds: float, hits: int = 16_384) -> Outcome:
    """Make ingest remember long paths and long User-Agents."""
    shots = (
        Shot(f"/{number:x}/" + "a" * 1500, browser(number) + " x" * 400) for number in range(hits)
    )
    return Outcome(told(await fire(target, shots, seconds, "198.51.100.14")))


async def foreign_pages(target: Target, seconds: float, hits: int = 200) -> Outcome:
    """Have the readers of a foreign page count for the site: a script, and an image."""
    url = f"https://{ATTACKED}.example/"
    answers: Counter[str] = Counter()
    foreign = {"Origin": "https://la.example", "Referer": "https://la.example/bai"}
    async with httpx.AsyncClient(base_url=target.ingest.url, timeout=30) as client:
        for number in range(hits):
            reader = {"X-Forwarded-For": f"192.0.2.{number % 250}", "User-Agent": browser(number)}
            body = {"n": "pageview", "d": ATTACKED, "u": url}
            posted = await client.post("/e", json=body, headers={**reader, **foreign})
            del reader["X-Forwarded-For"]
            headers = {**reader, "Referer": foreign["Referer"], "X-Forwarded-For": "192.0.2.251"}
            image = await client.get("/hit.gif", params={"d": ATTACKED, "u": url}, headers=headers)
            for answer in (posted, image):
                answers[answer.headers.get("X-Luot-Dropped", "counted")] += 1
    return Outcome(told(answers))


async def gateway(target: Target, seconds: float, readers: int = 3000, pages: int = 5) -> Outcome:
    """No attack: the phones of a carrier, all behind one address, lose nothing."""
    shots = (
        Shot(f"/tin-tuc/bai-{page}", phone(reader))
        for page in range(pages)
        for reader in range(readers)
    )
    answers = await fire(target, shots, max(seconds, 600), GATEWAY)
    lost = readers * pages - answers["202"]
    problem = f"{lost} views of readers behind one address were not taken"
    return Outcome(told(answers), (problem,) if lost else ())


async def many_machines(target: Target, seconds: float) -> Outcome:
    """Fill the log with views of one site as people send them, each from an address of its own.

    Nobody can tell how fast this machine sends. So the log is as full beforehand as if there had
    been others, up to what a slow machine fills in time; a slower one goes on.
    """
    shots = (Shot(f"/{number:x}/" + "a" * 480, phone(number)) for number in itertools.count())
    addresses = (str(ip_address(CROWD + number)) for number in itertools.count())
    with target.redis.client() as redis:
        memory = redis.info("memory")
        room = int(SITE_ROOM * memory["maxmemory"] - seconds * FILLED_A_SECOND)
        ballast: list[str] = []
        while redis.info("memory")["used_memory"] < room - BALLAST:
            ballast.append(f"ballast-{len(ballast)}")
            redis.setrange(ballast[-1], BALLAST, "x")
        refused = _refused(redis)
        try:
            answers: Counter[str] = Counter()
            for _ in range(MOST_ROUNDS):
                answers += await fire(target, shots, seconds, addresses, CROWDED)
                if answers["202 rate"]:
                    break
            refused = _refused(redis) - refused
            full = redis.info("memory")["used_memory"] / memory["maxmemory"]
        finally:
            redis.delete(*ballast)
    problems = [] if answers["202 rate"] else ["the log was not filled"]
    if refused:
        problems.append(f"the log was full: it refused {refused} commands")
    return Outcome(f"{told(answers)}; the log was {full:.0%} full at last", tuple(problems))


def _refused(redis: Redis) -> int:
    """Return how many commands the log refused, because it was full."""
    return int(redis.info("errorstats").get("errorstat_OOM", {}).get("count", 0))


def told(answers: Counter[str]) -> str:
    """Return how many requests had which answer."""
    said = ", ".join(f"{count:,} × {answer}" for answer, count in answers.most_common())
    return f"{answers.total():,}: {said}"
