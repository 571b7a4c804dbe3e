"""The country of an address."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.enrich import country_file, regions
from services.enrich.country import Countries
from services.settings import SettingsError
from tests.unit.enrich import mmdb


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


def test_an_address_has_the_province_that_its_file_names(tmp_path: Path) -> None:
    file = tmp_path / "cities.mmdb"
    vn, us = {"iso_code": "VN"}, {"iso_code": "US"}
    long = "Ngũ Hành Sơn " * 12
    finer: mmdb.Value = [
        {"iso_code": "HN", "names": {"en": "Hanoi"}},
        {"iso_code": "X", "names": {"en": "x"}},
    ]
    records: dict[str, mmdb.Value] = {
        # As GeoLite2 and GeoIP2 City have it.
        "203.0.113.0/28": {
            "country": vn,
            "subdivisions": finer,
            "city": {"names": {"en": "Hanoi"}},
        },
        # As DB-IP and IP2Location have it: no code.
        "203.0.113.16/28": {"country": vn, "subdivisions": [{"names": {"en": "Dong Thap"}}]},
        "203.0.113.32/28": {"country": us, "subdivisions": [{"names": {"en": "California"}}]},
        "203.0.113.48/28": {"country": us, "subdivisions": [{"iso_code": "US-CA"}]},
        "203.0.113.64/28": {
            "country": us,
            "subdivisions": [{"iso_code": "long", "names": {"en": long}}],
        },
        "203.0.113.80/28": {"country": us, "subdivisions": [{"names": {"en": "\u202e\n"}}]},
        "203.0.113.96/28": {"country": us, "subdivisions": []},
        "203.0.113.112/28": {"country": us, "subdivisions": ["CA"]},
        "203.0.113.128/28": {"country": us, "subdivisions": {"iso_code": "CA"}},
        "203.0.113.144/28": {"subdivisions": finer},
    }
    mmdb.write(file, records)
    countries = Countries(file)
    found = [countries.place(f"203.0.113.{16 * place + 1}") for place in range(len(records))]
    assert found[:4] == [("VN", "VN-HN"), ("VN", "VN-45"), ("US", "US-California"), ("US", "US-CA")]
    assert found[4].region.startswith("US-Ngũ Hành Sơn")
    assert len(found[4].region.encode()) <= regions.MAX_BYTES
    assert found[5:] == [("US", "")] * 4 + [("", "")]
    countries.close()


def test_without_a_file_no_country_is_known() -> None:
    assert Countries(None).of("203.0.113.9") == ""
    assert Countries(None).place("203.0.113.9") == ("", "")


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


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    countries = Countries(tmp_path / "places.mmdb")
    assert countries.of("203.0.113.9") == ""
    countries.refresh()
    new = tmp_path / "new.mmdb"
    mmdb.write(new, {"203.0.113.0/24": {"country": {"iso_code": "VN"}}})
    done = CliRunner().invoke(app, ["country", str(new), "--data", str(tmp_path)])
    assert done.exit_code == 0, done.output
    countries.refresh()
    assert countries.of("203.0.113.9") == "VN"
    nowhere = CliRunner().invoke(app, ["country", str(new), "--data", str(tmp_path / "none")])
    assert "is not a folder" in " ".join(nowhere.output.split())
    countries.close()


@pytest.mark.parametrize("content", [None, b"", b"not a database"])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "countries.mmdb"
    if content is None:
        file = tmp_path / "no-folder" / "countries.mmdb"
    else:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"LUOT_COUNTRY_DATABASE=.*countries\.mmdb"):
        Countries(file)


def test_a_file_is_checked_put_in_its_place_and_read_without_a_restart(tmp_path: Path) -> None:
    old, new = tmp_path / "in-use.mmdb", tmp_path / "new.mmdb"
    mmdb.write(old, {"203.0.113.0/24": {"country": {"iso_code": "LA"}}})
    of_cities: mmdb.Value = {"country": {"iso_code": "VN"}, "subdivisions": [{"iso_code": "45"}]}
    mmdb.write(new, {"203.0.113.0/24": of_cities})
    countries = Countries(old)
    assert countries.place("203.0.113.9") == ("LA", "")
    done = CliRunner().invoke(app, ["country", str(old), "--into", str(tmp_path / "other.mmdb")])
    assert "it has no provinces" in " ".join(done.output.split())
    done = CliRunner().invoke(app, ["country", str(new), "--into", str(old)])
    assert done.exit_code == 0, done.output
    assert "installed Test-Country of 2023-11-14" in " ".join(done.output.split())
    assert "it also has provinces" in " ".join(done.output.split())
    countries.refresh()
    assert countries.place("203.0.113.9") == ("VN", "VN-45")
    assert old.stat().st_mode & 0o777 == 0o644
    countries.close()


def test_a_file_that_names_no_country_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, wrong, none = (tmp_path / name for name in ("used.mmdb", "text.mmdb", "asn.mmdb"))
    mmdb.write(used, {"203.0.113.0/24": {"country": {"iso_code": "LA"}}})
    before = used.read_bytes()
    wrong.write_text("no database")
    mmdb.write(none, {"203.0.113.0/24": {"asn": "64496"}})
    for file, why in (
        (wrong, "is no file of countries"),
        (none, "no country"),
        (tmp_path, "cannot be"),
    ):
        refused = CliRunner().invoke(app, ["country", str(file), "--into", str(used)])
        assert refused.exit_code == 2
        assert why in " ".join(refused.output.split())
    monkeypatch.setattr(country_file, "MAX_BYTES", 10)
    large = CliRunner().invoke(app, ["country", str(none), "--into", str(used)])
    assert "expected at most 10" in " ".join(large.output.split())
    monkeypatch.delenv("LUOT_COUNTRY_DATABASE", raising=False)
    nowhere = CliRunner().invoke(app, ["country", str(none)])
    assert "LUOT_COUNTRY_DATABASE is not set" in " ".join(nowhere.output.split())
    assert used.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"used.mmdb", "text.mmdb", "asn.mmdb"}
