"""A portal, its site in a whole Luot, and browsers of three engines that visit it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.browser.engines import ENGINES
from tests.browser.engines.engine import Engine
from tests.browser.engines.place import Place
from tests.browser.portal import Portal
from tests.servers.up import Up

Start = Callable[..., Engine]

_numbers = count(1)


@pytest.fixture(scope="module", params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    """The engine of a test; the tests of a file have one after the other."""
    return str(request.param)


@pytest.fixture(scope="module")
def kept(name: str) -> Iterator[list[Engine]]:
    """The browser of the tests before, once it has forgotten them."""
    browsers: list[Engine] = []
    yield browsers
    for browser in browsers:
        browser.close()


@pytest.fixture
def start(name: str, tmp_path: Path) -> Iterator[Start]:
    """Start a browser of one of the engines, as a visitor without a past."""
    with ExitStack() as started:
        number = count(1)

        def start(**wishes: Any) -> Engine:
            folder = tmp_path / f"browser-{next(number)}"
            folder.mkdir()
            engine = ENGINES[name](folder, **wishes)
            started.callback(engine.close)
            return engine

        yield start


@pytest.fixture
def engine(
    name: str, kept: list[Engine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A visitor without a past: to start a browser for each takes seconds, to forget one none."""
    engine = kept.pop() if kept else ENGINES[name](tmp_path_factory.mktemp("browser"))
    try:
        yield engine
        engine.forget()
    except BaseException:
        engine.close()
        raise
    kept.append(engine)


@pytest.fixture
def options() -> dict[str, Any]:
    """How the site of a test is set; a test may say it."""
    return {}


@pytest.fixture
def place(up: Up, portal: Portal, options: dict[str, Any]) -> Iterator[Place]:
    """A portal with a site that is of this test alone."""
    place = Place(up, portal, f"trang-{next(_numbers)}", **options)
    yield place
    place.close()
