"""What a test asks of a browser, whichever engine it has."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

WAIT_SECONDS = 120.0
"""How long a test waits for what it wants: other tests may have the machine."""
HOSTS = ("portal.example", "search.example", "thongke.example", "stats.example")
"""The names that are found on this machine, without a name server."""
BLOCKED = ("stats", "analytics", "tracking")
"""What begins a host whose `/event` the usual blocklists refuse (EasyPrivacy: `/stats.*/event`)."""


Process = subprocess.Popen[bytes]


class Silence(StrEnum):
    """How a browser asks not to be tracked."""

    DNT = "dnt"
    GPC = "sec-gpc"


class EngineError(Exception):
    """The browser refused a command, for example because the page is on its way to another."""


class Engine(ABC):
    """A browser of a new visitor, with one tab.

    asks     the ways in which a person can have this browser ask not to be tracked
    repeats  whether it sends a request again whose connection breaks before the answer
    cuts     whether it tells an image of another site only the origin of the page
    twice    whether it may ask for an image that must not be stored twice: for what it looks ahead
             for, and again for the page, where that came late
    """

    asks: ClassVar[tuple[Silence, ...]] = ()
    repeats: ClassVar = True
    cuts: ClassVar = True
    twice: ClassVar = False

    @abstractmethod
    def __init__(
        self, folder: Path, *, silence: Silence | None = None, blocking: bool = False
    ) -> None:
        """Start, with all that is kept in a folder; skip the test where the engine is missing.

        `silence` is a setting of the person, `blocking` a blocker with the rules of `BLOCKED`.
        """

    @abstractmethod
    def open(self, url: str) -> None:
        """Go to a page as from the address bar, without a referrer."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """Return what an expression is on the page; raises EngineError where it cannot be told."""

    @abstractmethod
    def forget(self) -> None:
        """Become a visitor without a past."""

    @abstractmethod
    def close(self) -> None:
        """End the browser and whatever was started for it."""

    def follow(self, url: str) -> None:
        """Go on to a page as by a link of the page that is open."""
        self.evaluate(
            f"void document.body.appendChild(Object.assign(document.createElement('a'),"
            f" {{ href: {url!r} }})).click()"
        )
        self.wait(f"location.href === {url!r} && document.readyState === 'complete'")

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true on the page; return what it is."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            found: Any
            try:
                if found := self.evaluate(expression):
                    return found
            except EngineError as error:
                found = error
            assert time.monotonic() < deadline, f"{expression}: {found!r}"
            time.sleep(0.05)


def comes(true: Callable[[], object]) -> bool:
    """Tell whether something comes true in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def start(
    arguments: Sequence[str], environ: Mapping[str, str], descriptor: int | None = None
) -> Process:
    """Start a program in a group of its own, with more in its environment; it says nothing."""
    return subprocess.Popen(
        arguments,
        env={**os.environ, **environ},
        pass_fds=() if descriptor is None else (descriptor,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )


def end(process: Process) -> None:
    """End a process, and by force what it leaves of its group."""
    process.terminate()
    try:
        process.wait(WAIT_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def appears(path: Path, process: Process) -> str:
    """Wait for a file that a process writes; return its text."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (path.exists() and path.read_text()):
        assert process.poll() is None, f"{process.args!r} ended"
        assert time.monotonic() < deadline, f"{process.args!r} wrote no {path.name}"
        time.sleep(0.05)
    return path.read_text()
