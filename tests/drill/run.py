"""Breaks one thing after the other, and waits until the webhook was told of it and of its end."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.drill.alerts import LANES, LAST, Drill
from tests.drill.plant import Plant
from tests.drill.scale import milliseconds, severities

FIRE_SECONDS = 420.0
"""More than any alert takes by day, on a busy machine."""
LATER_SECONDS = 1500.0
POLL_SECONDS = 0.2
RECEIVERS = {"page": "page", "ticket": "ticket", "none": "watchdog"}

Say = Callable[[str], object]


class Row(NamedTuple):
    """What became of one alert; `problem` is empty when it fired, arrived, and was resolved.

    fired     seconds from the fault to the notice
    resolved  seconds from the end of the fault to the notice that it is over
    others    alerts that were told of meanwhile
    """

    alert: str
    severity: str
    what: str
    fired: float
    resolved: float
    others: tuple[str, ...] = ()
    problem: str = ""


class Runner:
    """Runs lanes of drills side by side."""

    def __init__(self, plant: Plant, say: Say, wanted: Sequence[str] = ()) -> None:
        self._plant = plant
        self._say = say
        self._wanted = set(wanted)
        self._severities = severities()
        self._later: list[asyncio.Task[None]] = []
        self._began = time.monotonic()
        self.rows: list[Row] = []

    def _active(self) -> set[str]:
        """Return the alerts that fire, or soon may."""
        address = f"http://{self._plant.monitoring.prometheus.target}/api/v1/alerts"
        alerts = httpx.get(address, timeout=60).json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts}

    async def run(self) -> list[Row]:
        """Run what is wanted, all without any; return a row an alert."""
        async with self._plant.readers():
            async with asyncio.TaskGroup() as group:
                for lane in LANES:
                    group.create_task(self._lane(lane))
            await asyncio.gather(*self._later)
            await self._lane(LAST)
        if not self._wanted or "Watchdog" in self._wanted:
            await self._watchdog()
        return self.rows

    async def _lane(self, lane: Sequence[Drill]) -> None:
        for drill in lane:
            if self._wanted and not self._wanted & {*drill.alerts, *drill.later}:
                continue
            try:
                await self._drill(drill)
            except Exception as error:
                # The others are to be seen all the same.
                for alert in (*drill.alerts, *drill.later):
                    self._note(drill, alert, 0, 0, (), f"{type(error).__name__}: {error}")

    async def _drill(self, drill: Drill) -> None:
        # What is left of an earlier fault is not taken for this one's doing.
        if not drill.already:
            await _until(lambda: not self._active() & {*drill.alerts}, LATER_SECONDS)
        began = time.monotonic()
        fired: dict[str, float] = {}
        problems: dict[str, str] = {}

        async def wait(alert: str) -> None:
            try:
                fired[alert] = await self._fires(alert, began, FIRE_SECONDS)
            except TimeoutError:
                problems[alert] = f"did not fire within {FIRE_SECONDS:.0f} s"

        async with drill.fault(self._plant):
            self._say(f"{drill.what}: {', '.join((*drill.alerts, *drill.later))}")
            await asyncio.gather(*(wait(alert) for alert in drill.alerts))
        ended = time.monotonic()
        told = self._plant.webhook.names(began, ended) - {"Watchdog"}
        others = tuple(sorted(told - {*drill.alerts, *drill.later}))

        async def end(alert: str, seconds: float) -> None:
            resolved = 0.0
            if alert in fired:
                try:
                    resolved = await self._is_over(alert, ended, seconds)
                except TimeoutError:
                    problems[alert] = f"was not resolved within {seconds:.0f} s"
            self._note(drill, alert, fired.get(alert, 0.0), resolved, others, problems.get(alert))

        async def later(alert: str) -> None:
            try:
                # Slow ones may still fire for the fault before, and are told of once.
                fired[alert] = await self._fires(alert, self._began, LATER_SECONDS)
            except TimeoutError:
                problems[alert] = f"did not fire within {LATER_SECONDS:.0f} s"
            await end(alert, LATER_SECONDS)

        self._later += [asyncio.create_task(later(alert)) for alert in drill.later]
        await asyncio.gather(*(end(alert, FIRE_SECONDS) for alert in drill.alerts))

    def _note(
        self,
        drill: Drill,
        alert: str,
        fired: float,
        resolved: float,
        others: tuple[str, ...],
        problem: str | None,
    ) -> None:
        severity = self._severities[alert]
        row = Row(alert, severity, drill.what, fired, resolved, others, problem or "")
        self.rows.append(row)
        self._say(f"  {alert}: {problem or f'fired {fired:.0f} s, resolved {resolved:.0f} s'}")

    async def _fires(self, alert: str, since: float, seconds: float) -> float:
        await _until(lambda: self._plant.webhook.first(alert, since) is not None, seconds)
        notice = self._plant.webhook.first(alert, since)
        assert notice is not None
        assert notice.receiver == RECEIVERS[self._severities[alert]], notice
        assert not [text for text in notice.annotations.values() if "<error" in text], notice
        return notice.at - since

    async def _is_over(self, alert: str, since: float, seconds: float) -> float:
        await _until(lambda: self._plant.webhook.resolved(alert), seconds)
        return time.monotonic() - since

    async def _watchdog(self) -> None:
        """It comes until Prometheus is frozen, and again after that."""
        began = time.monotonic()
        fired = await self._fires("Watchdog", began, FIRE_SECONDS)
        silence = milliseconds("5m") / 1000 / self._plant.factor
        prometheus = self._plant.monitoring.prometheus
        prometheus.send(signal.SIGSTOP)

        def missed() -> bool:
            now = time.monotonic()
            return not self._plant.webhook.names(now - silence, now) & {"Watchdog"}

        problem = ""
        try:
            await _until(missed, FIRE_SECONDS)
        except TimeoutError:
            problem = "came although Prometheus was frozen"
        prometheus.send(signal.SIGCONT)
        ended = time.monotonic()
        resolved = await self._fires("Watchdog", ended, FIRE_SECONDS)
        what = "Prometheus is frozen until it is missed"
        self.rows.append(Row("Watchdog", "none", what, fired, resolved, (), problem))


async def _until(reached: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(POLL_SECONDS)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown, in order of name."""
    lines = [
        "| alert | severity | fault | fired after | over after | told meanwhile | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.alert} | {row.severity} | {row.what} | {row.fired:.0f} s | {row.resolved:.0f} s"
        f" | {', '.join(row.others)} | {row.problem or 'yes'} |"
        for row in sorted(rows)
    ]
    return "\n".join(lines)


async def drill(
    directory: Path, *, factor: float, say: Say, wanted: Sequence[str] = ()
) -> list[Row]:
    """Start everything, run the drills that are wanted, and stop everything."""
    plant = Plant(directory, factor)
    try:
        await asyncio.to_thread(plant.start)
        say("started")
        return await Runner(plant, say, wanted).run()
    finally:
        await asyncio.to_thread(plant.stop)
