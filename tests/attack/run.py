"""One attack after another, and what each did to everybody else."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.attack import aftermath, floods, requests
from tests.attack.floods import Outcome
from tests.attack.honest import Honest
from tests.attack.target import ATTACKED, Target

FRESH_SECONDS = 5.0
STILL_SECONDS = 3.0
MOST_VISITS = 6100
"""An hour of new visitors of one address, and its first hundred hits."""


class Attack(NamedTuple):
    """What is tried, and how many visits of the attacked site it may bring."""

    run: Callable[[Target, float], Awaitable[Outcome]]
    visits: range


ANY = range(MOST_VISITS + 1)
NONE = range(1)

ATTACKS = {
    # The first: what a site took in the last hour counts when the log is full.
    "many machines": Attack(floods.many_machines, NONE),
    "bots": Attack(floods.bots, NONE),
    "invented paths": Attack(floods.paths, ANY),
    "invented visits": Attack(floods.visits, ANY),
    "foreign pages": Attack(floods.foreign_pages, NONE),
    "long hits": Attack(floods.memory, ANY),
    "an invented page": Attack(aftermath.taken_back, NONE),
    "a carrier's gateway": Attack(floods.gateway, range(3000, 3001)),
    "wrong passwords": Attack(requests.wrong_passwords, NONE),
    "long paths": Attack(requests.long_paths, NONE),
    "heavy queries": Attack(requests.heavy_queries, NONE),
    "followers": Attack(requests.followers, NONE),
    "malformed requests": Attack(requests.malformed, NONE),
}


@dataclass(frozen=True)
class Row:
    """What one attack did."""

    name: str
    tried: str
    visits: int
    others_views: int
    freshness_p99: float
    articles_views: int
    sign_ins: int
    memory: dict[str, tuple[int, int]]
    memory_held_by: str
    problems: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the row as it is printed."""
        memory = ", ".join(
            f"{name} {used >> 20}/{limit >> 20} MB" for name, (used, limit) in self.memory.items()
        )
        return [
            f"{self.name}: {'held' if not self.problems else 'BROKEN'}",
            f"  tried    {self.tried}",
            f"  visits   {self.visits} gained, beside those of honest readers",
            f"  others   {self.others_views} views, p99 {self.freshness_p99:.1f} s to the number",
            f"  articles {self.articles_views} views of old pages and of a new one",
            f"  sign-in  {self.sign_ins} times",
            f"  memory   {memory} ({self.memory_held_by})",
            *(f"  ! {problem}" for problem in self.problems),
        ]


async def run(target: Target, name: str, seconds: float) -> Row:
    """Attack for at most so long, while honest readers read, and compare."""
    attack = ATTACKS[name]
    honest = Honest(target, new_page=f"/tin-tuc/moi-{len(name)}-{name.split()[-1]}")
    before = target.counter(ATTACKED)["total"]
    async with honest.reading():
        outcome = await attack.run(target, seconds)
    await honest.compare()
    visits = await _stands_still(target) - before - honest.articles.total()
    problems = [*outcome.problems, *honest.problems]
    if visits not in attack.visits:
        problems.append(f"{visits} visits were gained, {attack.visits[-1]} are allowed")
    memory = target.memory()
    return Row(
        name=name,
        tried=outcome.told,
        visits=visits,
        others_views=honest.views.total(),
        freshness_p99=honest.freshness_p99(),
        articles_views=honest.articles.total(),
        sign_ins=honest.sign_ins,
        memory=memory,
        memory_held_by=target.held_by,
        problems=(*problems, *_killed(target), *_over(memory), *_late(honest)),
    )


async def _stands_still(target: Target) -> int:
    """Return the visits of the attacked site, once all that was sent is counted."""
    last: int = target.counter(ATTACKED)["total"]
    since = time.monotonic()
    while time.monotonic() < since + STILL_SECONDS:
        if (now := target.counter(ATTACKED)["total"]) != last:
            last, since = now, time.monotonic()
        await asyncio.sleep(0.25)
    return last


def _killed(target: Target) -> Sequence[str]:
    return [f"{name} took more memory than its limit, and was killed" for name in target.killed()]


def _over(memory: dict[str, tuple[int, int]]) -> Sequence[str]:
    return [
        f"{name} had {used >> 20} MB of {limit >> 20} MB"
        for name, (used, limit) in memory.items()
        if used > limit
    ]


def _late(honest: Honest) -> Sequence[str]:
    p99 = honest.freshness_p99()
    return () if p99 < FRESH_SECONDS else (f"others' numbers were {p99:.1f} s late (p99)",)
