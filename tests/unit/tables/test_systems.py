"""The export of every system is read, and one that is broken, empty or of another is refused."""

from pathlib import Path

import pytest

from services.tables.formats.known import NAMES
from services.tables.line import TableError
from tests.unit.tables.exports import converted, pack, write
from tests.unit.tables.systems import EXPORTS, Export

each = pytest.mark.parametrize(
    "export", EXPORTS, ids=lambda export: f"{export.format}-{export.name}"
)


def test_there_is_an_export_of_every_system() -> None:
    # The other two have tests of their own.
    assert {export.format for export in EXPORTS} == set(NAMES) - {"plain", "nukeviet"}


@each
def test_an_export_is_recognised_and_read(export: Export, tmp_path: Path) -> None:
    path = write(tmp_path, export.text, export.name)
    name, sums, left_out = converted(path, address=export.address)
    assert name == export.format
    assert sums.days == export.days
    assert sums.pages == export.pages
    assert left_out.total() == export.left_out


@each
def test_a_broken_one_is_refused_by_its_line(export: Export, tmp_path: Path) -> None:
    before, after, said = export.broken
    assert before in export.text
    path = write(tmp_path, export.text.replace(before, after), export.name)
    with pytest.raises(TableError) as error:
        converted(path, address=export.address)
    assert str(error.value).startswith(f"{path}, {said}")


@each
def test_an_empty_one_is_refused_or_holds_nothing(export: Export, tmp_path: Path) -> None:
    text = export.text[: export.text.index(export.rows)]
    try:
        _, sums, _ = converted(write(tmp_path, text, export.name))
    except TableError as error:
        assert "has no rows" in str(error)  # noqa: PT017  # CSV has its columns, a dump nothing
    else:
        assert (sums.days, sums.pages, sums.periods) == ({}, {}, {})


@each
def test_it_is_no_export_of_any_other_system(export: Export, tmp_path: Path) -> None:
    path = write(tmp_path, export.text, export.name)
    for name in set(NAMES) - {export.format}:
        with pytest.raises(TableError, match=f"is no export of .*; it looks like {export.format}"):
            converted(path, name)


def test_the_zip_of_plausible_gives_days_and_pages(tmp_path: Path) -> None:
    days = next(export for export in EXPORTS if export.format == "plausible")
    path = pack(
        tmp_path,
        {
            days.name: days.text,
            "imported_pages_20111225_20111226.csv": '"date","hostname","page","visits","visitors",'
            '"pageviews"\n"2011-12-25","a.example","/1",1,1,2\n"2011-12-26","a.example","/1",1,1,3\n',
            "imported_devices_20111225_20111226.csv": '"date","device","visitors"\n'
            '"2011-12-25","",5\n',
        },
    )
    name, sums, _ = converted(path)
    assert name == "plausible"
    assert sums.days == days.days
    assert sums.pages == {"/1": (0, 5)}


def test_a_dump_of_two_systems_needs_a_word(tmp_path: Path) -> None:
    texts = {export.format: export for export in EXPORTS if export.name.endswith(".sql")}
    both = write(tmp_path, texts["drupal"].text + texts["wp-statistics"].text, "both.sql")
    with pytest.raises(TableError, match="holds tables of drupal and wp-statistics; say which"):
        converted(both)
    assert converted(both, "drupal")[1].pages == texts["drupal"].pages


def test_articles_without_addresses_are_left_out_and_said(tmp_path: Path) -> None:
    for export in EXPORTS:
        if export.address:
            _, sums, left_out = converted(write(tmp_path, export.text, export.name))
            assert not sums.pages
            assert left_out.total() == export.left_out + 1


def test_another_version_of_goatcounters_export_is_refused(tmp_path: Path) -> None:
    text = next(export.text for export in EXPORTS if export.format == "goatcounter")
    with pytest.raises(TableError, match="another version of the export; expected 2Path"):
        converted(write(tmp_path, "3" + text[1:]))


def test_two_reports_of_analytics_in_one_file_are_refused(tmp_path: Path) -> None:
    text = next(
        export.text for export in EXPORTS if export.name == "days.csv" and "# " in export.text
    )
    with pytest.raises(TableError, match="holds two tables of the same kind"):
        converted(write(tmp_path, text + "\n" + text))
