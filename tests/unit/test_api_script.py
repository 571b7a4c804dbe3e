"""The script is small enough for every page of a portal."""

from services.api import script


def test_the_script_is_under_2_kb_gzip() -> None:
    assert len(script.compressed(script.source())) < 2000
