"""Histories of paths: what is published, and how many of them fit."""

from array import array

from services.aggregator.path_history import _most_of_one
from services.model.path_digest import DIGEST_BYTES, holds, packed, path_digest, unpacked
from services.state import path_history

DIGESTS = array("Q", sorted(map(path_digest, ["/", "/tin-tức", "/a?id=1"])))


def test_what_is_published_is_read_as_it_was() -> None:
    published = path_history.encode(DIGESTS)
    assert path_history.decode(published) == DIGESTS
    assert len(published) == 8 + 8 * len(DIGESTS)
    assert path_history.decode(path_history.encode(array("Q"))) == array("Q")


def test_what_is_torn_or_of_another_format_is_no_history() -> None:
    published = path_history.encode(DIGESTS)
    for damaged in (b"", published[:-1], published[:-8], b"\x02" + published[1:], b"x" * 40):
        assert path_history.decode(damaged) is None


def test_a_path_is_found_by_its_digest() -> None:
    assert holds(DIGESTS, path_digest("/tin-tức"))
    assert not holds(DIGESTS, path_digest("/bịa"))
    assert not holds(array("Q"), 1)
    assert unpacked(packed(DIGESTS) + b"rest") == DIGESTS


def test_the_histories_of_all_sites_fit_and_small_sites_keep_theirs() -> None:
    assert _most_of_one({}) == path_history.MOST_A_SITE
    assert _most_of_one({"a": 10**6}) == path_history.MOST_A_SITE
    for large, small in ((50, 0), (300, 700), (10_000, 10_000)):
        pages = {f"large-{n}": 10**6 for n in range(large)} | dict.fromkeys(
            (f"small-{n}" for n in range(small)), 100
        )
        most = _most_of_one(pages)
        taken = sum(min(number, most) for number in pages.values()) * DIGEST_BYTES
        assert taken <= path_history.MOST_BYTES
        assert most >= 85
        if large < 1000:
            assert taken > path_history.MOST_BYTES * 3 // 4
            assert most >= 100
