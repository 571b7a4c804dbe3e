"""The country of an address."""

import os
from pathlib import Path

import pytest

from services.enrich.country import Countries
from services.settings import SettingsError
from tests.unit.ingest import mmdb


def test_an_address_has_the_country_of_its_network(tmp_path: Path) -> None:
    file = tmp_path / "countries.mmdb"
    mmdb.write(
        file,
        {
            "203.0.113.0/24": {"country": {"iso_code": "VN"}},
            "198.51.100.0/25": {"country": {"iso_code": "LA"}},
        },
    )
    countries = Countries(file)
    assert countries.of("203.0.113.9") == "VN"
    assert countries.of("198.51.100.127") == "LA"
    assert countries.of("198.51.100.128") == ""
    countries.close()


def test_what_the_file_does_not_know_has_no_country(tmp_path: Path) -> None:
    file = tmp_path / "countries.mmdb"
    mmdb.write(
        file,
        {
            "203.0.113.0/24": {"country": "VN"},
            "198.51.100.0/24": "LA",
            "192.0.2.0/24": {"country": {"iso_code": "Vietnam"}},
        },
    )
    countries = Countries(file)
    for address in ("203.0.113.9", "198.51.100.1", "192.0.2.1", "2001:db8::1", "garbage", ""):
        assert countries.of(address) == ""
    countries.close()


def test_without_a_file_no_country_is_known() -> None:
    assert Countries(None).of("203.0.113.9") == ""


def test_a_file_that_is_replaced_is_used(tmp_path: Path) -> None:
    file = tmp_path / "countries.mmdb"
    mmdb.write(file, {"203.0.113.0/24": {"country": {"iso_code": "LA"}}})
    countries = Countries(file)
    assert countries.of("203.0.113.9") == "LA"
    mmdb.write(file, {"203.0.113.0/24": {"country": {"iso_code": "VN"}}})
    os.utime(file, ns=(1, 1))
    countries.refresh()
    assert countries.of("203.0.113.9") == "VN"
    countries.close()


def test_a_file_replaced_by_garbage_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "countries.mmdb"
    mmdb.write(file, {"203.0.113.0/24": {"country": {"iso_code": "VN"}}})
    countries = Countries(file)
    file.write_bytes(b"garbage")
    os.utime(file, ns=(1, 1))
    countries.refresh()
    assert countries.of("203.0.113.9") == "VN"
    countries.close()


@pytest.mark.parametrize("content", [None, b"", b"not a database"])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "countries.mmdb"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"LUOT_COUNTRY_DATABASE=.*countries\.mmdb"):
        Countries(file)
