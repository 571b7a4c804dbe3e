"""What `luot doctor` says of the file that countries and provinces are from."""

from pathlib import Path

from services.doctor import places
from services.doctor.check import Check
from tests.unit.enrich import mmdb

BUILT = 1_700_000_000
"""2023-11-14, of every file that the tests write."""
DAY = 86_400


async def examined(file: Path | None, days: int = 30) -> Check:
    (check,) = await places.examine(lambda: float(BUILT + days * DAY), file)
    return check


async def test_the_file_its_day_and_whether_it_has_provinces_are_told(tmp_path: Path) -> None:
    file = tmp_path / "places.mmdb"
    unset = await examined(None)
    assert (unset.ok, "LUOT_COUNTRY_DATABASE is not set" in unset.found) == (True, True)

    to_come = await examined(file)
    assert (to_come.ok, to_come.found) == (True, f"no file at {file} yet, so no country is known")

    mmdb.write(file, {"203.0.113.0/24": {"country": {"iso_code": "VN"}}})
    of_countries = await examined(file)
    assert of_countries.ok
    assert of_countries.found == f"{file}: Test-Country of 2023-11-14, without provinces"

    record: mmdb.Value = {"country": {"iso_code": "VN"}, "subdivisions": [{"iso_code": "45"}]}
    mmdb.write(file, {"203.0.113.0/24": record})
    assert (await examined(file)).found == f"{file}: Test-Country of 2023-11-14, with provinces"

    old = await examined(file, days=400)
    assert old.ok is None
    assert "more than a year old" in old.advice

    file.write_bytes(b"garbage")
    broken = await examined(file)
    assert broken.ok is False
    assert "is no file of countries" in broken.found
    assert "luot country FILE" in broken.advice
