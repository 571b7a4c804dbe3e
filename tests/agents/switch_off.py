"""Switches off patterns that take people for crawlers: `python -m tests.agents.switch_off`.

Run it after an upgrade of one of the lists; a test tells when that is due.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from services.enrich import crawler_lists
from services.enrich.crawler_lists import CrawlerLists, SwitchedOff
from tests.agents.people import people

FILE = Path(crawler_lists.__file__).with_name(crawler_lists.SWITCHED_OFF)


def to_switch_off(agents: Iterable[str]) -> list[SwitchedOff]:
    """Return the patterns that match one of these people, each with one of them.

    The rules of `bots` keep most of them from being asked; a pattern that is this wrong shall do
    no harm where those rules do not see who it is, either.
    """
    agents = list(agents)
    left = crawler_lists.all_patterns()
    off: list[SwitchedOff] = []
    while True:
        lists = CrawlerLists(left)
        wrong = {pattern: agent for agent in agents if (pattern := lists.find(agent))}
        if not wrong:
            return sorted(off, key=lambda pattern: (pattern.list, pattern.regex))
        off += [SwitchedOff(pattern.list, pattern.regex, agent) for pattern, agent in wrong.items()]
        # Others may match the same people.
        left = tuple(pattern for pattern in left if pattern not in wrong)


def main() -> int:
    """Write the list, and report it."""
    off = to_switch_off(people())
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(off), indent=2) + b"\n")
    patterns = len(crawler_lists.all_patterns())
    print(f"{len(off)} of {patterns} patterns are switched off:")
    for pattern in off:
        shown = re.sub(r"\s+", " ", pattern.agent)
        print(f"  {pattern.list}: {pattern.regex}\n    takes {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
