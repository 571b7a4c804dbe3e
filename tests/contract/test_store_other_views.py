"""Views under `(other)`: their own paths in raw hits, and how they come back to their pages."""

from array import array

import pytest

from services.aggregator.flush import Flusher
from services.aggregator.fold import PartitionFold
from services.api.counter import queries_top
from services.log.batch import decode, encode
from services.model.hit import OTHER_PATH, Hit
from services.model.partition import partition_of
from services.model.path_digest import path_digest
from services.store.counts import corrections, page_digests, returned_views
from services.store.counts.corrections import Correction, Taken
from services.store.counts.returned_views import WaitingPage
from services.store.interface import Store

DAY = 20_254
START = DAY * 86_400_000


def hit(visitor: int, path: str = "/", day: int = DAY, site: str = "mytho") -> Hit:
    return Hit(site=site, path=path, at=START + visitor, day=day, visitor=visitor)


def other(visitor: int, path: str, day: int = DAY) -> Hit:
    return Hit(
        site="mytho", path=OTHER_PATH, own_path=path, at=START + visitor, day=day, visitor=visitor
    )


class Partition:
    """Folds and flushes batches as the aggregator does."""

    def __init__(self, store: Store) -> None:
        self.fold = PartitionFold(partition_of("mytho", 8))
        self.flusher = Flusher(store, 1000)
        self.ms = START

        self.taken: list[tuple[int, bytes]] = []

    async def take(self, *hits: Hit) -> None:
        self.ms += 1
        self.taken.append((self.ms, encode(hits)))
        folded = self.fold.fold([(self.ms << 20, self.ms, decode(encode(hits)))])
        await self.flusher.flush([folded], [], [])

    async def take_again(self) -> None:
        """Read everything from the beginning, as the next owner does after a rewind."""
        fold, flusher = PartitionFold(partition_of("mytho", 8)), Flusher(self.flusher._store, 1000)
        for ms, batch in self.taken:
            folded = fold.fold([(ms << 20, ms, decode(batch))])
            await flusher.flush([folded], [], [])


async def raw_views(store: Store, path: str) -> int:
    """Count as a filter on pages does."""
    ((views,),) = await store.execute(
        "SELECT count() FROM hits FINAL WHERE site = 'mytho' AND bot = 0 AND path IN %(paths)s",
        {"paths": [path]},
    )
    return int(views)


async def raw_paths(store: Store) -> dict[str, int]:
    rows = await store.execute(
        "SELECT path, count() FROM (SELECT path FROM hits FINAL WHERE site = 'mytho') GROUP BY path"
    )
    return dict(rows)


async def test_the_store_makes_the_digests_that_ingest_looks_for(store: Store) -> None:
    partition = Partition(store)
    paths = ["/", "/tin-tức/mở-cửa.html?id=%25", "/a'b\\c", "/" + "đ" * 200]
    await partition.take(*(hit(1, path) for path in paths), other(2, "/bịa"), hit(3, "(unknown)"))
    await partition.take(hit(1, "/xa", site="danang"))

    assert await page_digests.page_counts(store) == {"mytho": len(paths), "danang": 1}
    digests = await page_digests.most_viewed(store, "mytho", 100)
    assert digests == array("Q", sorted(map(path_digest, paths)))


async def test_of_too_many_pages_those_with_the_most_views_have_a_history(store: Store) -> None:
    partition = Partition(store)
    await partition.take(*(hit(1, f"/{n}") for n in range(5) for _ in range(n + 1)))
    await partition.take(hit(9, "/new"))
    digests = await page_digests.most_viewed(store, "mytho", 3)
    assert digests == array("Q", sorted(map(path_digest, ["/4", "/3", "/2"])))


async def test_a_rewind_leaves_views_with_the_pages_that_have_them_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_: object) -> None:
        pass

    partition = Partition(store)
    await partition.take(hit(1, "/tin"), other(2, "/tin"), other(3, "/bịa"))
    await returned_views.give_back(store, "mytho", DAY, ["/tin"])
    # What is there is left as it is, and what is missing is written.
    with monkeypatch.context() as patch:
        patch.setattr(partition.flusher, "_write_hits", lose)
        await partition.take(other(4, "/tin"), hit(5, "/", site="danang"))
    await partition.take(other(6, "/tin"))
    assert await raw_paths(store) == {"/tin": 2, OTHER_PATH: 2}
    await partition.take_again()
    assert await raw_paths(store) == {"/tin": 2, OTHER_PATH: 3}
    ((views,),) = await store.execute("SELECT count() FROM hits FINAL")
    assert views == 6
    await returned_views.give_back(store, "mytho", DAY, ["/tin"])
    assert await raw_paths(store) == {"/tin": 4, OTHER_PATH: 1}


async def test_views_come_back_to_their_page_exactly_and_once(store: Store) -> None:
    partition = Partition(store)
    await partition.take(other(1, "/a"), other(2, "/a"), other(2, "/bịa"), hit(5))
    await partition.take(hit(3, "/a"), other(1, "/a", DAY - 1))

    assert await returned_views.waiting(store, "mytho", DAY, most=9) == [
        WaitingPage("/a", 2, 2, 2, 2)
    ]
    both = await returned_views.waiting(store, "mytho", DAY, ["/a", "/bịa"], most=9)
    assert [page.path for page in both] == ["/a", "/bịa"]

    for _ in range(2):
        assert await returned_views.give_back(store, "mytho", DAY, ["/a", "/none"]) == {"/a": 2}
        views = await returned_views.by_day(store, ["mytho"], ["/a", "/bịa"])
        assert views == {("mytho", "/a"): {DAY: 2}}
        top = await queries_top.top_pages(store, ["mytho"], (DAY, DAY), 9)
        assert top == [("/a", 3), ("/", 1)]
        # Of the day before, the view is still with the others.
        assert await raw_paths(store) == {"/": 1, "/a": 3, OTHER_PATH: 2}
        assert (await raw_views(store, OTHER_PATH), await raw_views(store, "/a")) == (2, 3)
    assert await returned_views.waiting(store, "mytho", DAY, most=9) == []


async def test_views_that_come_later_are_given_back_by_the_same_repair(store: Store) -> None:
    partition = Partition(store)
    await partition.take(other(1, "/a"), hit(2, "/a"))
    await returned_views.give_back(store, "mytho", DAY, ["/a"])
    await partition.take(other(3, "/a"), other(4, "/a"))
    assert await returned_views.waiting(store, "mytho", DAY, most=9) == [
        WaitingPage("/a", 3, 3, 3, 2)
    ]
    await returned_views.give_back(store, "mytho", DAY, ["/a"])
    assert await queries_top.top_pages(store, ["mytho"], (DAY, DAY), 9) == [("/a", 4)]
    assert await raw_paths(store) == {"/a": 4}


async def test_what_was_given_back_can_be_taken_again(store: Store) -> None:
    partition = Partition(store)
    await partition.take(other(1, "/a"), hit(2, "/a"))
    await returned_views.give_back(store, "mytho", DAY, ["/a"])
    await returned_views.take_again(store, "mytho", DAY, ["/a"])
    assert await queries_top.top_pages(store, ["mytho"], (DAY, DAY), 9) == [("/a", 1)]
    assert await raw_paths(store) == {"/a": 1, OTHER_PATH: 1}
    assert len(await returned_views.waiting(store, "mytho", DAY, most=9)) == 1


async def test_views_that_the_counters_do_not_have_yet_wait(store: Store) -> None:
    """Raw hits are written first: what a flush is about to count is given back another time."""
    partition = Partition(store)
    await partition.take(other(1, "/a"), hit(2, "/a"))
    late = PartitionFold(partition_of("mytho", 8))
    at = partition.ms + 1
    folded = late.fold([(at << 20, at, decode(encode([other(3, "/a")])))])
    await partition.flusher._write_hits([folded])
    assert await returned_views.give_back(store, "mytho", DAY, ["/a"]) == {"/a": 1}
    assert await raw_paths(store) == {"/a": 2, OTHER_PATH: 1}


async def take_back(store: Store, visitor: int) -> None:
    """Correct the view of one visitor: whatever path it has at the moment."""
    rows = await store.execute(
        "SELECT position, idx, path FROM hits FINAL WHERE site = 'mytho' AND visitor = %(visitor)s",
        {"visitor": visitor},
    )
    ((position, idx, path),) = rows
    run = f"{visitor:032x}"
    columns = {"day": [DAY], "position": [position], "idx": [idx], "run": [run]}
    await store.insert("corrected_hits", {"site": ["mytho"], **columns})
    await corrections.write_entries(store, "mytho", run, {(path, DAY): Taken(views=1)})
    row = Correction(run, run, "", DAY, DAY, position + 1, 1, 0, 0, "{}", "lan", START, "bịa")
    await corrections.add(store, "mytho", row)


async def test_what_a_correction_took_stays_where_it_was_taken(store: Store) -> None:
    partition = Partition(store)
    await partition.take(*(other(visitor, "/a") for visitor in (1, 2, 3)), hit(4, "/a"))
    await take_back(store, 1)
    assert await returned_views.give_back(store, "mytho", DAY, ["/a"]) == {"/a": 2}
    assert await queries_top.top_pages(store, ["mytho"], (DAY, DAY), 9) == [("/a", 3)]

    await take_back(store, 2)
    for _ in range(2):
        assert await returned_views.give_back(store, "mytho", DAY, ["/a"]) == {"/a": 2}
        assert await queries_top.top_pages(store, ["mytho"], (DAY, DAY), 9) == [("/a", 2)]
    # Back under `(other)` goes what counts; what was taken at the page stays taken there.
    await returned_views.take_again(store, "mytho", DAY, ["/a"])
    assert await queries_top.top_pages(store, ["mytho"], (DAY, DAY), 9) == [("/a", 1)]
    assert await raw_paths(store) == {"/a": 2, OTHER_PATH: 2}
