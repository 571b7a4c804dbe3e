"""People taken for bots, and bots that are found, on a file of labelled User-Agents.

Each line is `person`, `person-inapp` (in-app browsers and WebViews) or `bot`, a tab, the agent;
plain or .gz. USER_AGENTS names the file; without it, one beside the checkout is taken.
"""

import gzip
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.machine import ROOT
from benchmarks.measure import Result, exact
from services.enrich import crawler_lists
from services.enrich.agents import MAX_USER_AGENT
from services.enrich.bots import judge
from tests.agents.people import people

DEFAULT = ROOT.parent / "shared" / "data" / "user_agents.tsv.gz"
LABELS = ("person", "person-inapp", "bot")


def labelled(path: Path) -> Iterator[tuple[str, str]]:
    """Yield label and User-Agent of each line. Raises ValueError for a line without both."""
    body = path.read_bytes()
    text = (gzip.decompress(body) if path.suffix == ".gz" else body).decode()
    for number, line in enumerate(text.splitlines(), 1):
        label, tab, agent = line.partition("\t")
        if not tab or label not in LABELS:
            raise ValueError(f"{path}:{number}: expected one of {', '.join(LABELS)}, a tab, agent")
        yield label, agent


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both rates in percent, and the time of an agent that was not seen before."""
    yield exact("patterns of both lists", len(crawler_lists.all_patterns()), "patterns")
    yield exact("of them switched off", len(crawler_lists.switched_off()), "patterns")
    composed = list(people())
    wrong = sum(judge(agent).bot for agent in composed)
    yield exact("people composed here, tagged as bots", 100 * wrong / len(composed), "%")
    path = Path(os.environ.get("USER_AGENTS", DEFAULT))
    if not path.exists():
        pytest.skip(f"{path} is not there; USER_AGENTS names a file of labelled agents")
    agents = list(labelled(path))
    seen = Counter(label for label, _ in agents)
    started = time.perf_counter()
    bots = Counter(label for label, agent in agents if judge(agent[:MAX_USER_AGENT]).bot)
    seconds = time.perf_counter() - started
    for label in LABELS:
        if seen[label]:
            share = 100 * bots[label] / seen[label]
            yield exact(f"{label}, {seen[label]} agents, tagged as bots", share, "%")
    yield exact("an agent that was not seen before", seconds / len(agents) * 1e6, "µs")
