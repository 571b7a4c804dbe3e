"""Which files are downloads, which pages are never counted, and where both are kept."""

import pytest

from services.model import path_patterns
from services.model.downloads import are_downloads, downloads_of, ending_of
from services.model.kept_apart import site_of
from services.model.partition import partition_of
from services.model.site import Site


def test_downloads_are_kept_apart_in_the_partition_of_their_site() -> None:
    for number in range(200):
        slug = f"site-{number}"
        name = downloads_of(slug)
        assert (site_of(name), site_of(slug)) == (slug, slug)
        assert (are_downloads(name), are_downloads(slug)) == (True, False)
        assert partition_of(name, 8) == partition_of(slug, 8)


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("/van-ban/qd-12.PDF", "pdf"),
        ("/documents/10180/20/a.xlsx/5a1b2c3d-0000-1111-2222-333344445555", "xlsx"),
        ("/a.pdf;jsessionid=1", "pdf"),
        ("/a.tar.gz", "gz"),
        ("/v1.2/tin", ""),
        ("/", ""),
    ],
)
def test_the_ending_of_a_file(path: str, ending: str) -> None:
    assert ending_of(path) == ending


def test_endings_are_those_of_documents_unless_the_site_names_others() -> None:
    usual = Site(slug="a")
    assert usual.counts_download("/a.pdf")
    assert not usual.counts_download("/a.mp3")
    assert not usual.counts_download("/a")
    named = Site(slug="a", download_endings=(".MP3", "mp3 "))
    assert named.download_endings == ("mp3",)
    assert named.counts_download("/a.mp3")
    assert not named.counts_download("/a.pdf")
    off = Site(slug="a", download_endings=("none",))
    assert not off.counts_download("/a.none")
    assert not off.counts_download("/a.pdf")
    with pytest.raises(ValueError, match=r"download_endings: 'p\.d\.f' is not the ending"):
        Site(slug="a", download_endings=("p.d.f",))


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/quan-tri/**", "/quan-tri/a/b", True),
        ("/quan-tri/**", "/quan-tri/", True),
        ("/quan-tri/**", "/quan-tri", False),
        ("/in/*", "/in/7", True),
        ("/in/*", "/in/7/8", False),
        ("/a.b", "/a.b", True),
        ("/a.b", "/axb", False),
        ("/a", "/a/", True),
        ("/a", "/A", False),
    ],
)
def test_a_pattern_is_of_a_path(pattern: str, path: str, matches: bool) -> None:
    assert path_patterns.any_matches((pattern,), path) is matches
    assert Site(slug="a", excluded_pages=(pattern,)).excludes(path) is matches


def test_excluded_pages_follow_the_capitals_of_the_site_and_must_be_paths() -> None:
    site = Site(slug="a", excluded_pages=("/Quan-Tri/**",), fold_case=True, significant=("tabid",))
    assert site.excludes(site.counted_path("/QUAN-TRI/x", "tabid=1"))
    assert not Site(slug="a").excludes("/quan-tri/x")
    for wrong in ("quan-tri", "/" + "a" * 600, "/a\nb"):
        with pytest.raises(ValueError, match=r"excluded_pages: .* is not a path"):
            Site(slug="a", excluded_pages=(wrong,))
