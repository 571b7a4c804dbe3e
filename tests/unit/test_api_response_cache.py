"""Answers that are ready are kept within limits, and no longer than their numbers are fresh."""

from starlette.requests import Request

from services.api.counter.pages import PageKey
from services.api.counter.response_cache import Inputs, ResponseCache
from services.model.site import Metric, Site

SITE = Site(slug="mytho")
LONG = 10_000


class World:
    """Answers of one site, at a time that is set."""

    def __init__(self, most_bytes: int = 1 << 20) -> None:
        self.now = 0.0
        self.site: Site | None = SITE
        self.is_refreshing = False
        self.answers = ResponseCache(
            lambda _: self.site,
            lambda: self.now,
            most_bytes,
            grace=0.5,
            refreshing=lambda _: self.is_refreshing,
        )

    def make(
        self,
        path: str,
        *,
        query: bytes = b"",
        until: float = 1.0,
        method: str = "GET",
        pages: tuple[PageKey, ...] = (),
    ) -> None:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": [],
        }
        inputs = Inputs(SITE, ("mytho", Metric.VISITS), pages, until)
        self.answers.respond(Request(scope), b"{}", 'W/"1"', {}, "application/json", inputs)


def test_an_answer_is_found_by_path_and_query_until_it_ends() -> None:
    world = World()
    world.make("/a", query=b"x=1")

    found = world.answers.find("/a", b"x=1")
    assert found is not None
    assert found.body["body"] == b"{}"
    assert world.answers.find("/a", b"") is None
    assert world.answers.find("/b", b"x=1") is None
    world.now = 1.0
    assert world.answers.find("/a", b"x=1") is None


def test_an_answer_is_good_a_little_longer_while_its_inputs_are_refreshed() -> None:
    world = World()
    world.make("/a")
    world.is_refreshing = True
    world.now = 1.4
    assert list(world.answers.expiring(0.3)) == []
    assert world.answers.find("/a", b"") is not None
    world.is_refreshing = False
    assert world.answers.find("/a", b"") is None
    world.is_refreshing = True
    world.now = 1.5
    assert world.answers.find("/a", b"") is None


def test_an_answer_ends_when_its_site_is_changed_or_removed() -> None:
    world = World()
    world.make("/a")
    for site in (Site(slug="mytho", name="new"), None):
        world.site = site
        assert world.answers.find("/a", b"") is None


def test_only_a_get_leaves_an_answer() -> None:
    world = World()
    world.make("/a", method="HEAD")

    assert world.answers.find("/a", b"") is None


def test_invented_queries_fill_no_more_than_the_limits() -> None:
    world = World(most_bytes=5 * LONG)
    for number in range(10):
        world.make("/a", query=b"%d" % number + b"x" * LONG)
    assert len(world.answers) == 3
    world.now = 2.0
    assert list(world.answers.expiring(0.3)) == []
    assert len(world.answers) == 0


def test_the_newest_answers_are_found_however_many_were_invented() -> None:
    world = World(most_bytes=5 * LONG)
    for number in range(10):
        world.make("/a", query=b"%d" % number + b"x" * LONG)
        assert world.answers.find("/a", b"%d" % number + b"x" * LONG) is not None


def test_the_names_of_pages_count_in_full() -> None:
    # One such letter makes every other one take four bytes.
    world = World(most_bytes=10 * LONG)
    for number in range(10):
        pages = tuple(("mytho", f"/{page}/\N{GRINNING FACE}".ljust(500, "x")) for page in range(20))
        world.make("/a", query=b"%d" % number, pages=pages)

    assert len(world.answers) == 2


def test_what_ends_soon_and_was_asked_for_again_is_told() -> None:
    world = World()
    for path in ("/again", "/once", "/later"):
        world.make(path, until=9.0 if path == "/later" else 1.0)
    world.answers.find("/again", b"")
    world.answers.find("/later", b"")

    assert list(world.answers.expiring(0.3)) == []
    world.now = 0.8
    assert [inputs.expires_at for inputs in world.answers.expiring(0.3)] == [1.0]


def test_an_answer_made_anew_takes_the_place_of_the_old_one() -> None:
    world = World(most_bytes=3 * LONG)
    for until in range(1, 20):
        world.make("/a", query=b"x" * LONG, until=float(until))

    assert len(world.answers) == 1
    world.now = 18.5
    assert world.answers.find("/a", b"x" * LONG) is not None
