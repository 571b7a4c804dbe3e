"""How much of services/ the unit and contract tests run, found along with the run of all tests.

For `pytest -p tests.covered`. To trace all tests would cost half as much time again, and to run
these a second time, only for the figure, a tenth.
"""

import io
import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from coverage import Coverage
from coverage.exceptions import NoDataError

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "tests" / "unit", ROOT / "tests" / "contract")
_OF_PROCESSES = "COVERAGE_PROCESS_CONFIG"
"""Tells processes that they are to measure themselves: coverage.py sets it as it starts."""


class _Measure:
    """Traces this process while it is on, and the processes that are started meanwhile."""

    def __init__(self) -> None:
        self._coverage = Coverage(data_suffix=True)
        # A process may have none of these tests, and imports modules while it is off.
        told = ["no-data-collected", "already-imported"]
        self._coverage.set_option("run:disable_warnings", told)
        self._on = False
        # All workers import the same: one that tells of it is enough.
        self.turn(on=os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0")
        # The workers of a run are none of the processes that tests start.
        os.environ.pop(_OF_PROCESSES, None)

    def turn(self, *, on: bool) -> None:
        if on == self._on:
            return
        self._on = on
        if on:
            self._coverage.start()
        else:
            self._coverage.stop()
            os.environ.pop(_OF_PROCESSES, None)

    def end(self) -> None:
        self.turn(on=False)
        self._coverage.save()


_KEY = pytest.StashKey[_Measure]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin: what modules do when they are imported, first of all by conftest.py, counts too."""
    early_config.stash[_KEY] = _Measure()


def pytest_configure(config: pytest.Config) -> None:
    """Forget the run before, where this is no worker of a run."""
    if not hasattr(config, "workerinput"):
        Coverage().erase()


def pytest_collection_finish(session: pytest.Session) -> None:
    """All is imported; from here on, each test says whether it is measured."""
    session.config.stash[_KEY].turn(on=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Trace a test of these folders. To trace property tests costs most and finds no other line."""
    of_these = any(item.path.is_relative_to(folder) for folder in FOLDERS)
    measured = of_these and item.get_closest_marker("hypothesis") is None
    item.config.stash[_KEY].turn(on=measured)
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was found, for whoever sums up."""
    session.config.stash[_KEY].end()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say the figure, last of all; `coverage report` then shows the lines that are missing."""
    if hasattr(config, "workerinput"):
        return
    found = Coverage()
    # There is none where pytest was called wrongly, and says so.
    with suppress(NoDataError):
        found.combine()
        found.save()
        total = found.report(file=io.StringIO())
        writer = config.get_terminal_writer()
        writer.line(f"coverage of services/ by unit and contract tests: {total:.0f}%")
