"""`luot probe` against a whole Luot, and against answers that a Luot gives in trouble."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.enrich.bots import Bots
from services.probe.outcome import Outcome
from services.probe.probe import USER_AGENT, Probe
from tests.patience import rounds
from tests.servers.asgi import listening, port_of
from tests.servers.metrics import Scrape, complaints
from tests.servers.redis import free_port
from tests.servers.system import whole_numbers
from tests.servers.up import LUOT, Up, environ, luot

SITE = "do-luot"
PAGES = ("/do/000", "/do/001")
SOON_SECONDS = 120.0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("probe") / "data")
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def site(up: Up) -> str:
    made = luot("site", "add", SITE, "--host", "127.0.0.1", "--data", str(up.data))
    assert made.returncode == 0, made.stderr
    return SITE


def test_a_probe_without_its_site_is_told_how_to_make_it(up: Up) -> None:
    said = luot("probe", "--once", "--url", up.url, "--site", "nobody")
    assert said.returncode == 1
    assert said.stdout == ""
    assert "luot: refused:" in said.stderr
    assert "luot site add nobody --host 127.0.0.1" in said.stderr


def test_a_probe_of_a_portal_is_refused_so_that_its_numbers_stay_its_own(up: Up) -> None:
    made = luot("site", "add", "mytho", "--host", "mytho.example", "--data", str(up.data))
    assert made.returncode == 0, made.stderr
    said = luot("probe", "--once", "--url", up.url, "--site", "mytho")
    assert said.returncode == 1
    assert "foreign_host" in said.stderr
    assert views(up, "mytho") == 0


def test_a_hit_of_the_probe_is_shown_and_counts_on_its_own_site_only(up: Up, site: str) -> None:
    demo, before = views(up, "demo"), views(up, site)
    said = luot("probe", "--once", "--url", up.url, "--within", str(SOON_SECONDS))
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("the public number showed the hit after ")
    shows(up, before + 1, site)
    assert views(up, "demo") == demo
    other = luot("probe", "--once", "--url", up.url, "--site", f"{site}#other")
    assert (other.returncode, f"knows no site {site}#other" in other.stderr) == (1, True)


def test_a_probe_serves_what_it_found_until_luot_is_away(up: Up, site: str) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*LUOT, "probe", "--url", up.url, "--every", "1", "--port", str(port)],
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        name = "luot_probes_total"
        found = when(port, lambda found: found.value(name, outcome="ok") >= 2)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
        assert complaints(found.text) == ""
        assert found.labels(name, "outcome") == {outcome.value for outcome in Outcome}
        assert 0 < found.value("luot_probe_seconds") < 30
        age = time.time() - found.value("luot_probe_last_success_timestamp_seconds")
        assert 0 <= age < SOON_SECONDS
        assert found.labels("luot_build_info", "service") == {"probe"}

        up.process.send_signal(signal.SIGSTOP)
        try:
            when(port, lambda found: found.value(name, outcome="unreachable") >= 1)
        finally:
            up.process.send_signal(signal.SIGCONT)
        again = when(port, lambda found: found.value(name, outcome="ok") >= 4)
        assert again.value(name, outcome="refused") == 0
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "HTTP Request" not in output
    assert output.count("unreachable: ") == 1, "one line when it begins, not one a minute"


def test_two_probes_at_once_do_not_see_each_others_hits(up: Up, site: str) -> None:
    async def both() -> None:
        probes = [Probe(up.url, site, SOON_SECONDS) for _ in range(2)]
        probes[0]._path, probes[1]._path = PAGES
        for _ in range(2):
            results = await asyncio.gather(*(probe.once() for probe in probes))
            assert [result.outcome for result in results] == [Outcome.OK] * 2, results

    # Of their own pages: a hit of the test before may still come to the site.
    before = views(up, site, *PAGES)
    asyncio.run(both())
    shows(up, before + 4, site, *PAGES)


def test_a_number_that_comes_too_late_is_late(tmp_path: Path) -> None:
    # The first hits are flushed at once, all others an hour later.
    running = Up(tmp_path / "data", LUOT_FLUSH_SECONDS="3600")
    try:
        made = luot("site", "add", SITE, "--host", "127.0.0.1", "--data", str(running.data))
        assert made.returncode == 0, made.stderr
        first = luot("probe", "--once", "--url", running.url, "--within", str(SOON_SECONDS))
        assert first.returncode == 0, first.stderr
        second = luot("probe", "--once", "--url", running.url, "--within", "1.5")
        assert second.returncode == 1
        assert "luot: late: the hit was accepted, but the public number did not" in second.stderr
    finally:
        running.end()


def test_nobody_at_the_address_is_unreachable() -> None:
    said = luot("probe", "--once", "--url", f"http://127.0.0.1:{free_port()}")
    assert said.returncode == 1
    assert "luot: unreachable: GET" in said.stderr
    assert luot("probe", "--once", "--url", "thongke.example.vn").returncode == 2


def test_the_probe_is_taken_for_a_person() -> None:
    assert not Bots().judge_cut(USER_AGENT).bot


def views(up: Up, site: str, *pages: str) -> int:
    """Return the views of a site or of pages of it, once all that were accepted are counted."""
    deadline = time.monotonic() + SOON_SECONDS
    while True:
        found = Scrape(up.http.get("/metrics").text)
        if found.value("luot_uncounted_age_seconds", service="aggregator") == 0:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    asked = {"metric": "views", "path": list(pages)}
    shown = whole_numbers(lambda: up.http.get(f"/api/counter/{site}", params=asked))
    return sum(shown["paths"][page]["views"] for page in pages) if pages else int(shown["total"])


def shows(up: Up, count: int, site: str, *pages: str) -> None:
    """Wait until so many views are shown; a number may be older than another one beside it."""
    found = -1
    for _ in rounds(0.1):
        if (found := views(up, site, *pages)) >= count:
            break
        time.sleep(0.1)
    assert found == count


def when(port: int, holds: Callable[[Scrape], object]) -> Scrape:
    deadline = time.monotonic() + SOON_SECONDS
    text = ""
    while time.monotonic() < deadline:
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.TransportError:
            text = ""
        if text and holds(found := Scrape(text)):
            return found
        time.sleep(0.1)
    raise AssertionError(text)


# Answers of a Luot in trouble, and of what stands in front of it


class Luot:
    """A counter of one page, and what is to go wrong with it."""

    def __init__(self) -> None:
        self.views = 7
        self.counts = True
        self.numbers: list[float] = []
        self.answer: Response | None = None
        self.slow = asyncio.Event()
        self.waits = False
        self.counter_status = 200

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/e", self._event, methods=["POST"]),
                Route("/api/counter/{site}", self._counter),
            ]
        )

    async def _event(self, request: Request) -> Response:
        number = (await request.json())["k"]
        if self.answer is not None:
            return self.answer
        if self.counts and number not in self.numbers:
            self.views += 1
        self.numbers.append(number)
        if self.waits:
            await self.slow.wait()
        return Response(status_code=202)

    async def _counter(self, request: Request) -> Response:
        path = request.query_params["path"]
        body: dict[str, Any] = {"paths": {path: {"views": self.views, "today": 1}}}
        return JSONResponse(body, self.counter_status)


@asynccontextmanager
async def troubled(within: float = 0.5) -> AsyncIterator[tuple[Luot, Probe]]:
    there = Luot()
    async with listening(there.application()) as server:
        yield there, Probe(f"http://127.0.0.1:{port_of(server)}", SITE, within)
        there.slow.set()


async def test_a_hit_that_is_counted_late_does_not_pass_for_the_next_one() -> None:
    async with troubled() as (there, probe):
        there.counts = False
        assert (await probe.once()).outcome is Outcome.LATE
        there.views += 1  # the late one
        assert (await probe.once()).outcome is Outcome.LATE
        there.views += 1
        there.counts = True
        assert (await probe.once()).outcome is Outcome.OK
        assert len(set(there.numbers)) == 3


async def test_a_hit_that_nobody_answered_is_sent_again_as_the_same_view(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with troubled() as (there, probe):
        there.waits, there.counts = True, False
        monkeypatch.setattr("services.probe.probe.ANSWER_SECONDS", 0.3)
        result = await probe.once()
        assert result.outcome is Outcome.UNREACHABLE
        assert "no answer" in result.said
        monkeypatch.setattr("services.probe.probe.ANSWER_SECONDS", 10.0)
        there.waits = False
        assert (await probe.once()).outcome is Outcome.LATE
        first, again = there.numbers
        assert first == again


async def test_a_hit_without_an_answer_that_was_counted_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with troubled() as (there, probe):
        there.waits = True
        monkeypatch.setattr("services.probe.probe.ANSWER_SECONDS", 0.3)
        assert (await probe.once()).outcome is Outcome.UNREACHABLE
        monkeypatch.setattr("services.probe.probe.ANSWER_SECONDS", 10.0)
        there.waits = False
        assert (await probe.once()).outcome is Outcome.OK
        assert len(set(there.numbers)) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(status_code=503), "the hit was answered with 503"),
        (Response(status_code=302, headers={"Location": "https://b.example/e"}), "b.example/e"),
        (Response(status_code=202, headers={"X-Luot-Dropped": "rate"}), "does not count: rate"),
    ],
)
async def test_a_hit_that_is_not_taken_is_refused(answer: Response, said: str) -> None:
    async with troubled() as (there, probe):
        there.answer = answer
        result = await probe.once()
        assert result.outcome is Outcome.REFUSED
        assert said in result.said
        there.answer = None
        assert (await probe.once()).outcome is Outcome.OK


async def test_a_number_that_is_not_to_be_had_is_refused_and_no_hit_is_sent() -> None:
    async with troubled() as (there, probe):
        there.counter_status = 503
        assert (await probe.once()).outcome is Outcome.REFUSED
        assert there.numbers == []


async def test_a_number_that_a_person_lowered_is_believed_in_the_end() -> None:
    now, at, pace = 0.0, time.monotonic(), 0.01
    there = Luot()

    def clock() -> float:
        """Return a time that stands almost still where an answer must not be late."""
        return now + (time.monotonic() - at) * pace

    async with listening(there.application()) as server:
        url = f"http://127.0.0.1:{port_of(server)}"
        probe = Probe(url, SITE, 0.5, monotonic=clock)
        assert (await probe.once()).outcome is Outcome.OK
        there.views = 0
        pace = 1.0
        assert (await probe.once()).outcome is Outcome.LATE
        now, at, pace = 3601.0, time.monotonic(), 0.01
        assert (await probe.once()).outcome is Outcome.OK
