"""The story that the test tells, step by step; each step raises when it fails."""

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

from tests.compose import figures
from tests.compose.project import Project
from tests.compose.visitors import SITE, Visitors

RATE = 200
MOST_BYTES = 1_700_000_000
"""What all containers may hold together: a machine of 2 GB has a system, too."""
BACKUP = "/var/lib/luot/backup"


class Story(NamedTuple):
    """A project, its visitors, and how long to look at each thing in seconds."""

    project: Project
    visitors: Visitors
    seconds: float


def say(text: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201


def check(holds: bool, text: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise AssertionError(text)


def up(project: Project) -> None:
    """Start everything with one command, secrets and schema included."""
    began = time.monotonic()
    project.compose("up", "-d", "--no-build")
    project.wait_until_ready()
    say(f"up -d: everything is ready after {time.monotonic() - began:.0f} s, from nothing")


async def first_hit(story: Story) -> None:
    """A site, a hit through TLS, a number."""
    story.project.compose(
        "exec", "-T", "api-1", "luot", "site", "add", SITE, "--host", f"{SITE}.example"
    )
    await story.visitors.hit()
    check(story.visitors.accepted == 1, f"the first hit: {dict(story.visitors.answers)}")
    await counted(story)
    say("a hit through TLS is in the public number")


async def counted(story: Story) -> dict[str, object]:
    """Return the numbers once all hits are in them; never more."""
    deadline = time.monotonic() + 120
    while True:
        numbers = await story.visitors.numbers()
        if numbers["total"] == story.visitors.accepted:
            return numbers
        check(
            time.monotonic() < deadline,
            f"{numbers['total']} views are shown, {story.visitors.accepted} were accepted",
        )
        await asyncio.sleep(0.5)


async def look(story: Story) -> dict[str, figures.Used]:
    """Return what each container uses in a while."""
    before = await asyncio.to_thread(figures.read, story.project)
    await asyncio.sleep(story.seconds)
    return figures.between(before, await asyncio.to_thread(figures.read, story.project))


async def upgrade(story: Story) -> None:
    """Replace every container of ours while visitors come."""
    project = story.project
    before = project.running()
    story.visitors.answers.clear()
    async with story.visitors.coming(RATE):
        await asyncio.sleep(3)
        # Another image: that of the next commit, say.
        told = await asyncio.to_thread(project.script, "upgrade", REVISION="another")
        await asyncio.sleep(3)
    for line in told.splitlines():
        say(f"    {line}")
    replaced = {name for name, container in project.running().items() if container != before[name]}
    ours = {"ingest-1", "ingest-2", "api-1", "api-2", "aggregator", "backup"}
    check(replaced == ours, f"replaced: {', '.join(sorted(replaced))}")
    answers = dict(story.visitors.answers)
    check(set(answers) == {"hit: 202", "read: 200"}, f"while it was upgraded: {answers}")
    say(
        f"upgrade under load: 0 refused of {answers['hit: 202']:,} hits"
        f" and {answers['read: 200']:,} reads"
    )
    await counted(story)


async def restore(story: Story) -> None:
    """Back up, lose the volume of ClickHouse, restore: the same numbers."""
    project, story_before = story.project, await counted(story)
    volume = ["-v", "luot-compose-test-backup:/var/lib/luot"]
    project.daemon.docker("volume", "create", "luot-compose-test-backup")
    project.compose("run", "--rm", "--no-deps", "-T", *volume, "luot", "backup", BACKUP)
    # Counted after the backup: it comes back from the log.
    for _ in range(50):
        await story.visitors.hit()
    await counted(story)
    services = ["aggregator", "api-1", "api-2", "clickhouse", "migrate"]
    project.compose("stop", *services)
    project.compose("rm", "-f", *services)
    project.daemon.docker("volume", "rm", "luot-compose-test_clickhouse")
    say("backup taken, volume of ClickHouse deleted")
    for _ in range(50):
        await story.visitors.hit()
    project.compose("up", "-d", "--no-build", "clickhouse", "migrate")
    wait_for_migration(project)
    project.compose("run", "--rm", "--no-deps", "-T", *volume, "luot", "restore", BACKUP, "--yes")
    project.compose("up", "-d", "--no-build")
    project.wait_until_ready()
    numbers = await counted(story)
    project.daemon.docker("volume", "rm", "luot-compose-test-backup", check=False)
    check(int(str(numbers["total"])) == int(str(story_before["total"])) + 100, f"{numbers}")
    say(f"restored: {numbers['total']:,} views, as accepted, with those of while it was away")


def wait_for_migration(project: Project) -> None:
    """Return when the schema is there."""
    deadline = time.monotonic() + 60
    while "Exit 0" not in (shown := project.compose("ps", "migrate")):
        check(time.monotonic() < deadline, f"migrate does not end:\n{shown}")
        time.sleep(0.5)


def checks(project: Project) -> dict[str, float]:
    """Return the processor ms of one health check of the API: by Python, and as it is.

    Without those of Docker itself where they cannot be measured.
    """
    container = project.running()["api-1"]
    url = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8002/readyz')"
    times = {}
    for name, command in (
        ("python", ["python", "-c", url]),
        ("bash", ["bash", "/deploy/ready", "8002", "/readyz"]),
    ):
        before = figures.read(project).seconds
        for _ in range(10):
            project.daemon.docker("exec", container, *command)
        after = figures.read(project).seconds
        used = sum(after[one] - before[one] for one in ("", "api-1") if one in after)
        times[name] = used / 10 * 1000
    return times


async def tell(project: Project, seconds: float) -> None:
    """Tell the whole story, and print the figures."""
    up(project)
    visitors = Visitors(project.port, project.certificate)
    story = Story(project, visitors, seconds)
    try:
        await first_hit(story)
        say(f"looking at it for {seconds:.0f} s while nobody comes")
        columns = {"idle": await look(story)}
        each = await asyncio.to_thread(checks, project)
        async with visitors.coming(RATE):
            await asyncio.sleep(5)
            say(f"looking at it for {seconds:.0f} s while {RATE} a second want to come")
            came, began = visitors.accepted, time.monotonic()
            used = await look(story)
            rate = (visitors.accepted - came) / (time.monotonic() - began)
            columns[f"{rate:.0f} hits/s"] = used
        check(set(visitors.answers) <= {"hit: 202", "read: 200"}, f"{dict(visitors.answers)}")
        await counted(story)
        await upgrade(story)
        await restore(story)
        columns["at the end"] = await look(story)
    finally:
        await visitors.close()
    for line in figures.table(columns, project.limits()).splitlines():
        print(line)  # noqa: T201
    docker = columns["idle"].get("")
    idle = f"{docker.share:.1%} of a core" if docker else "(not measured, as the daemon was there)"
    say(
        f"a health check takes {each['bash']:.0f} ms of processor,"
        f" {each['python']:.0f} ms with Python;"
        f" Docker and all checks take {idle} while nobody comes"
    )
    for name, used in columns.items():
        total = sum(one.memory for one in used.values())
        check(total < MOST_BYTES, f"{name}: {total / 1e6:.0f} MB in all")
    say(f"all within {MOST_BYTES / 1e9:.1f} GB; see {Path('docker-compose.yml')}")
