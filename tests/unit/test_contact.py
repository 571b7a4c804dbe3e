"""What is known of a server is known without asking it, and an answer that is old is none."""

import asyncio
import math

import pytest

from services.log.entries import Batcher
from services.log.errors import LogError
from services.log.open import open_log
from services.log.uncounted import FRESH_SECONDS, Uncounted
from services.model.hit import Hit
from services.runtime.contact import SILENT_SECONDS, Contact


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Server:
    def __init__(self) -> None:
        self.error: Exception | None = None

    async def ask(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def clock() -> Clock:
    return Clock()


def contact(server: Server, clock: Clock) -> Contact:
    return Contact("the log", server.ask, (LogError,), clock=lambda: 0.0, monotonic=clock)


async def test_a_server_that_was_not_asked_yet_is_neither_up_nor_down(clock: Clock) -> None:
    known = contact(Server(), clock)
    assert math.isnan(known.up())
    assert known.problem() is None
    await known.look()
    assert known.up() == 1.0


async def test_silence_is_told_by_the_clock_with_its_beginning(clock: Clock) -> None:
    known = contact(Server(), clock)
    await known.look()
    clock.now += SILENT_SECONDS + 7
    assert known.problem() == "the log: nothing heard since 1969-12-31T23:59:50Z (10 s)"
    assert known.up() == 0.0
    await known.look()
    assert (known.problem(), known.up()) == (None, 1.0)


async def test_a_refusal_is_told_at_once_in_its_own_words(clock: Clock) -> None:
    server = Server()
    known = contact(server, clock)
    server.error = LogError("NOAUTH Authentication required.")
    await known.look()
    problem = known.problem()
    assert problem is not None
    assert problem.startswith(
        "the log: nothing heard since the start at 1970-01-01T00:00:00Z (0 s)"
    )
    assert problem.endswith(": NOAUTH Authentication required.")
    assert known.up() == 0.0


async def test_an_error_that_nobody_expected_is_no_answer_and_its_text_is_not_shown(
    clock: Clock,
) -> None:
    server = Server()
    known = contact(server, clock)
    server.error = KeyError("salt")
    await known.look()
    assert str(known.problem()).endswith(": KeyError")


async def test_a_server_that_never_answers_does_not_keep_anybody_waiting(clock: Clock) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    known = Contact("the store", never, (), monotonic=clock)
    watching = asyncio.create_task(known.watch_forever())
    await asyncio.sleep(0)
    clock.now += 60
    assert "(60 s)" in str(known.problem())
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_the_age_of_what_waits_grows_and_of_an_empty_log_nothing_is_known_for_long(
    clock: Clock,
) -> None:
    log = open_log("memory://uncounted", partitions=2)
    producer = log.producer()
    uncounted = Uncounted(log, clock)
    assert math.isnan(uncounted.age())
    await uncounted.measure()
    assert uncounted.age() == 0
    clock.now += FRESH_SECONDS + 1
    assert math.isnan(uncounted.age())

    hit = Hit(site="mytho", path="/", at=0, day=0, visitor=1)
    [entry] = Batcher(2).prepare([hit])
    await producer.append([entry])
    await uncounted.measure()
    clock.now += 60
    assert 59 < uncounted.age() < 62

    await log.positions.set_committed(await log.reader.ends())
    await uncounted.measure()
    assert uncounted.age() == 0


async def test_what_came_late_into_the_log_is_as_old_as_it_is_until_it_is_committed(
    clock: Clock,
) -> None:
    log = open_log("memory://late", partitions=2)
    uncounted = Uncounted(log, clock)
    hit = Hit(site="mytho", path="/", at=0, day=0, visitor=1)
    await log.producer().append(Batcher(2).prepare([hit]))
    uncounted.appended_late(30)
    uncounted.appended_late(20)
    assert uncounted.age() == pytest.approx(30)
    await uncounted.measure()
    assert uncounted.age() == pytest.approx(30)
    await log.positions.set_committed(await log.reader.ends())
    await uncounted.measure()
    assert uncounted.age() == 0
