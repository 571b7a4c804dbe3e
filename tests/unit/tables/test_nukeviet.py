"""NukeViet's counter and articles, from dumps and CSV."""

from pathlib import Path

import pytest

from services.tables.line import TableError
from tests.unit.tables.exports import converted, write

COUNTER = """\
-- phpMyAdmin SQL Dump
-- Host: localhost

SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";

CREATE TABLE `nv4_counter` (
  `c_type` varchar(100) COLLATE utf8mb4_unicode_ci NOT NULL,
  `c_val` varchar(100) COLLATE utf8mb4_unicode_ci NOT NULL,
  `last_update` int(11) NOT NULL DEFAULT '0',
  `c_count` int(11) UNSIGNED NOT NULL DEFAULT '0',
  `vi_count` int(11) UNSIGNED NOT NULL DEFAULT '0'
) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

INSERT INTO `nv4_counter` (`c_type`, `c_val`, `last_update`, `c_count`, `vi_count`) VALUES
('c_time', 'start', 0, 0, 0),
('c_time', 'last', 0, 1611022213, 0),
('total', 'hits', 1611022213, 249, 249),
('year', '2020', 1609403596, 216, 216),
('year', '2021', 1611022213, 33, 33),
('year', '2022', 0, 0, 0),
('month', 'Jan', 1611022213, 33, 33),
('month', 'Dec', 1609403596, 0, 0),
('day', '01', 1609516003, 7, 7),
('day', '02', 1609588916, 2, 2),
('day', '19', 1611022213, 24, 24),
('day', '31', 1609403596, 0, 0),
('browser', 'chrome', 1611022213, 200, 200),
('bot', 'googlebot', 1611022213, 40, 40);
"""

NEWS = """\
-- MySQL dump 10.13
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `nv4_vi_news_1` (`id` int, `alias` varchar(250), `catid` int, `hitstotal` int);
INSERT INTO `nv4_vi_news_1` VALUES (12,'ky-hop-thu-5',1,445);
CREATE TABLE `nv4_vi_news_cat` (
  `catid` smallint(5) unsigned NOT NULL AUTO_INCREMENT,
  `alias` varchar(250) NOT NULL DEFAULT '',
  PRIMARY KEY (`catid`),
  UNIQUE KEY `alias` (`alias`)
) ENGINE=MyISAM;
INSERT INTO `nv4_vi_news_cat` VALUES (1,'tin-tuc'),(2,'thong-bao');
CREATE TABLE `nv4_vi_news_rows` (
  `id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `catid` smallint(5) unsigned NOT NULL DEFAULT '0',
  `title` varchar(250) NOT NULL DEFAULT '',
  `alias` varchar(250) NOT NULL DEFAULT '',
  `hometext` text NOT NULL,
  `hitstotal` mediumint(8) unsigned NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`),
  KEY `catid` (`catid`)
) ENGINE=MyISAM;
INSERT INTO `nv4_vi_news_rows` VALUES (12,1,'Kỳ họp; (lần 5)','ky-hop-thu-5','It\\'s \\"so\\"',445),
(13,2,'O''Brien, \\\\','nghi-le','INSERT INTO `x` VALUES (1);\\n',1250),(14,1,'','moi','',0);
"""


def test_a_counter_gives_its_days_months_years_and_total(tmp_path: Path) -> None:
    name, sums, left_out = converted(write(tmp_path, COUNTER, "nv.sql"))
    assert name == "nukeviet"
    assert {day: count.visits for day, count in sums.days.items()} == {
        "2021-01-01": 7,
        "2021-01-02": 2,
        "2021-01-19": 24,
    }
    assert {start: count.visits for start, count in sums.periods.items()} == {
        "total": 249,
        "2020": 216,
        "2021": 33,
        "2021-01": 33,
    }
    assert left_out == {"counts by browser": 1, "counts by bot": 1}


def test_a_day_of_another_time_zone_is_left_out_and_said(tmp_path: Path) -> None:
    # 1609516003 is 22:46 of 1 January in Vietnam, and the 2nd in Auckland.
    _, sums, left_out = converted(write(tmp_path, COUNTER, "nv.sql"), time_zone="Pacific/Auckland")
    assert "2021-01-01" not in sums.days
    assert any("time zone" in reason for reason in left_out)


def test_a_packed_counter_is_the_same(tmp_path: Path) -> None:
    plain = converted(write(tmp_path, COUNTER, "nv.sql"))
    assert converted(write(tmp_path, COUNTER, "nv.sql.gz")) == plain


def test_a_counter_as_csv_is_the_same(tmp_path: Path) -> None:
    lines = [line.strip("(),;") for line in COUNTER.splitlines() if line.startswith("('")]
    text = "c_type;c_val;last_update;c_count;vi_count\n" + "\n".join(
        line.replace("'", '"').replace(", ", ";") for line in lines
    )
    assert converted(write(tmp_path, text))[1] == converted(write(tmp_path, COUNTER, "a.sql"))[1]


def test_articles_get_the_addresses_that_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, NEWS, "news.sql")
    name, sums, left_out = converted(path, address="/{lang}/{module}/{cat}/{alias}-{id}.html")
    assert name == "nukeviet"
    assert {page: count.views for page, count in sums.pages.items()} == {
        "/vi/news/tin-tuc/ky-hop-thu-5-12.html": 445,
        "/vi/news/thong-bao/nghi-le-13.html": 1250,
    }
    assert not left_out


def test_articles_without_addresses_are_left_out_and_said(tmp_path: Path) -> None:
    _, sums, left_out = converted(write(tmp_path, NEWS, "news.sql"))
    assert not sums.pages
    assert sum(left_out.values()) == 2


def test_an_address_of_a_column_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"line 22: \{slug\} .* there are alias, cat, catid"):
        converted(write(tmp_path, NEWS, "news.sql"), address="/{slug}")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (COUNTER.replace("7, 7)", "seven, 7)"), "line 23: c_count is 'seven'; expected a number"),
        (COUNTER.replace("7, 7)", "7)"), "line 23: 4 values for the 5 columns of nv4_counter"),
        (COUNTER.replace("'02'", "'2nd'"), "line 24: c_val is '2nd'; expected a day"),
        (COUNTER.replace("'Jan'", "'Giêng'"), "line 21: c_val is 'Giêng'; expected a month"),
        (COUNTER.replace("'bot'", "'bot"), "line 28: .* has no end"),
        (COUNTER[: COUNTER.index("('browser'")], "has no end; is the file cut"),
    ],
)
def test_what_is_broken_is_named_by_its_line(tmp_path: Path, broken: str, said: str) -> None:
    with pytest.raises(TableError, match=f"nv.sql, .*{said}"):
        converted(write(tmp_path, broken, "nv.sql"))


def test_an_empty_dump_is_refused(tmp_path: Path) -> None:
    empty = COUNTER[: COUNTER.index("INSERT")]
    for text in ("", empty):
        with pytest.raises(TableError, match="has no rows"):
            converted(write(tmp_path, text, "nv.sql"))


def test_a_list_is_no_export_of_nukeviet(tmp_path: Path) -> None:
    path = write(tmp_path, "path,views\n/a,1\n")
    with pytest.raises(TableError, match=r"no export of NukeViet.*; it looks like plain"):
        converted(path, "nukeviet")
