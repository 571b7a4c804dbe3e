"""A small export of each system, in its real format, and what is in it."""

from typing import NamedTuple

Counts = dict[str, tuple[int, int]]


class Export(NamedTuple):
    """An export: the text, or the files of a zip, and visits and views by day and by page.

    broken  what is replaced by what, and what the error says then
    rows    from where on there are rows: without them the file is empty
    """

    format: str
    name: str
    text: str
    days: Counts
    pages: Counts
    left_out: int
    broken: tuple[str, str, str]
    rows: str
    address: str = ""


EXPORTS = [
    Export(
        "joomla",
        "joomla.sql",
        """\
CREATE TABLE `jos_categories` (`id` int(11) NOT NULL, `path` varchar(400) NOT NULL);
INSERT INTO `jos_categories` VALUES (8,'tin-tuc/kinh-te');
CREATE TABLE `jos_content` (
  `id` int(10) unsigned NOT NULL, `title` varchar(255) NOT NULL, `alias` varchar(400) NOT NULL,
  `introtext` mediumtext NOT NULL, `catid` int(10) unsigned NOT NULL, `hits` int(10) NOT NULL,
  PRIMARY KEY (`id`), KEY `idx_catid` (`catid`));
INSERT INTO `jos_content` VALUES (3,'Giá lúa','gia-lua','<p>Giá \\'lúa\\'</p>',8,1280),
(4,'Nháp','nhap','',8,0);
CREATE TABLE `jos_vvcounter_logs` (
  `time` int unsigned NOT NULL, `visits` mediumint unsigned NOT NULL,
  `guests` mediumint unsigned NOT NULL, `members` mediumint unsigned NOT NULL,
  `bots` mediumint unsigned NOT NULL, UNIQUE KEY (`time`));
INSERT INTO `jos_vvcounter_logs` (`time`, `visits`, `guests`, `members`, `bots`) VALUES
(1609430400, 90, 80, 1, 9),
(1609434000, 14, 10, 0, 4),
(1609437600, 5, 5, 0, 0);
""",
        # 1609434000 is midnight in Vietnam, the end of the last hour of 2020.
        {"2020-12-31": (91, 0), "2021-01-01": (5, 0)},
        {"/tin-tuc/kinh-te/3-gia-lua": (0, 1280)},
        13,
        ("(1609437600, 5,", "(1609437600, -5,", "line 16: visits is '-5'"),
        "INSERT",
        "/{cat}/{id}-{alias}",
    ),
    Export(
        "joomla",
        "visits.csv",
        '"id","tm","ip"\n"1","1609433999","10.0.0.1"\n"2","1609434000","10.0.0.2"\n',
        {"2020-12-31": (1, 0), "2021-01-01": (1, 0)},
        {},
        0,
        ("1609433999", "yesterday", "line 2: tm is 'yesterday'"),
        '"1"',
    ),
    Export(
        "drupal",
        "drupal.sql",
        """\
DROP TABLE IF EXISTS `node_counter`;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE `node_counter` (
  `nid` int(11) NOT NULL DEFAULT '0',
  `totalcount` bigint(20) unsigned NOT NULL DEFAULT '0',
  `daycount` mediumint(8) unsigned NOT NULL DEFAULT '0',
  `timestamp` int(10) unsigned NOT NULL DEFAULT '0',
  PRIMARY KEY (`nid`)
) ENGINE=MyISAM DEFAULT CHARSET=utf8;
INSERT INTO `node_counter` VALUES (2,940,3,1609433999),(3,17,0,1609433999),(5,0,0,0);
CREATE TABLE `path_alias` (`id` int, `revision_id` int, `uuid` varchar(128), `langcode` varchar(12),
  `path` varchar(255), `alias` varchar(255), `status` tinyint);
INSERT INTO `path_alias` VALUES (2,2,'167b7c4e','vi','/node/2','/gioi-thieu',1),
(3,3,'02c07e93','vi','/node/3','/cu',0);
""",
        {},
        {"/gioi-thieu": (0, 940), "/node/3": (0, 17)},
        0,
        ("(3,17,", "(3,'17 lượt',", "line 10: totalcount is '17 lượt'"),
        "INSERT",
    ),
    Export(
        "wp-statistics",
        "wp.sql",
        """\
CREATE TABLE `wp_statistics_historical` (`ID` bigint, `category` varchar(25), `page_id` bigint,
  `uri` varchar(190), `value` bigint);
INSERT INTO `wp_statistics_historical` VALUES (1,'visits',-2,'-2',5000),(2,'uri',7,'/lien-he/',40);
CREATE TABLE `wp_statistics_pages` (`page_id` bigint NOT NULL, `uri` varchar(190) NOT NULL,
  `type` varchar(180) NOT NULL, `date` date NOT NULL, `count` int NOT NULL, `id` int NOT NULL);
INSERT INTO `wp_statistics_pages` VALUES (1,'/lien-he/','page','2024-05-01',3,7),
(2,'/','home','2024-05-01',9,0),(3,'/lien-he/','page','2024-05-02',2,7);
CREATE TABLE `wp_statistics_summary_totals` (`ID` bigint, `date` date, `visitors` bigint,
  `views` bigint);
INSERT INTO `wp_statistics_summary_totals` VALUES (1,'2024-05-02',6,20);
CREATE TABLE `wp_statistics_visit` (`ID` int, `last_visit` datetime, `last_counter` date,
  `visit` int);
INSERT INTO `wp_statistics_visit` VALUES (1,'2024-05-01 23:59:10','2024-05-01',12),
(2,'2024-05-02 10:00:00','2024-05-02',19);
CREATE TABLE `wp_statistics_visitor` (`ID` int, `last_counter` date, `referred` text,
  `agent` varchar(180), `ip` varchar(60), `hits` int);
INSERT INTO `wp_statistics_visitor` VALUES (1,'2024-05-01','','Chrome','#hash#a',8),
(2,'2024-05-01','','Safari','#hash#b',4);
""",
        {"2024-05-01": (2, 12), "2024-05-02": (6, 20)},
        {"/lien-he/": (0, 45), "/": (0, 9)},
        1,
        ("'2024-05-02',19", "'02/05/2024',19", "line 14: last_counter is '02/05/2024'"),
        "INSERT",
    ),
    Export(
        "dnn",
        "news.sql",
        """\
USE [portal]
GO
SET IDENTITY_INSERT [dbo].[DnnForge_NewsArticles_Article] ON
GO
INSERT [dbo].[DnnForge_NewsArticles_Article] ([ArticleID], [Title], [NumberOfViews]) \
VALUES (7, N'Họp ''thường kỳ''', 445)
INSERT [dbo].[DnnForge_NewsArticles_Article] ([ArticleID], [Title], [NumberOfViews]) \
VALUES (8, N'Mới', 0)
GO
""",
        {},
        {"/tin-tuc/ArticleID/7": (0, 445)},
        0,
        (", 445)", ", N'nhiều')", "line 5: numberofviews is 'nhiều'"),
        "INSERT [",
        "/tin-tuc/ArticleID/{ArticleID}",
    ),
    Export(
        "dnn",
        "sitelog.csv",
        "SiteLogId,DateTime,PortalId,UserId,Referrer,Url,UserAgent,UserHostAddress,TabId\n"
        "1,2015-03-01 23:59:00,0,NULL,,/Default.aspx?TabId=36,"
        '"Mozilla/5.0 (Windows NT 6.1; rv:36.0) Gecko/20100101 Firefox/36.0",10.0.0.1,36\n'
        "2,2015-03-02 00:00:00,0,NULL,,/,"
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html),10.0.0.2,36\n",
        {"2015-03-01": (0, 1)},
        {},
        1,
        ("2015-03-01 23", "01-03-2015 23", "line 2: datetime is '01-03-2015 23"),
        "1,2015",
    ),
    Export(
        "plausible",
        "imported_visitors_20111225_20111226.csv",
        '"date","visitors","pageviews","bounces","visits","visit_duration"\n'
        '"2011-12-25",5,50,2,7,8640\n"2011-12-26",3,4,2,3,43\n',
        {"2011-12-25": (7, 50), "2011-12-26": (3, 4)},
        {},
        0,
        ("3,4,2,3", "3,ehhhh,2,3", "line 3: pageviews is 'ehhhh'"),
        '"2011',
    ),
    Export(
        "goatcounter",
        "goatcounter.csv.gz",
        "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,"
        "Screen size,Location,FirstVisit,Date\n"
        "/,Home,false,,Chrome,Mac OS,a,0,,,1440x900,VN,true,2026-07-09T16:59:59Z\n"
        "/tin,Tin,false,,Chrome,Mac OS,a,0,,,1440x900,VN,false,2026-07-09T17:00:00Z\n"
        "/,Home,false,,Chrome,Linux,c,1,,,1280x720,DE,true,2026-07-09T02:00:00Z\n"
        "tai-ve,Tải,true,,Chrome,Mac OS,a,0,,,1440x900,VN,true,2026-07-09T02:00:00Z\n",
        {"2026-07-09": (1, 1), "2026-07-10": (0, 1)},
        {"/": (0, 1), "/tin": (0, 1)},
        2,
        ("2026-07-09T17:00:00Z", "9 Jul 2026", "line 3: date is '9 Jul 2026'"),
        "/,Home",
    ),
    Export(
        "umami",
        "website_event.csv",
        "website_id,session_id,visit_id,event_id,hostname,url_path,url_query,event_type,event_name,"
        "created_at\n"
        "w,s1,v1,e1,tinh.example,/,,1,,2024-03-15 16:59:59\n"
        "w,s1,v1,e2,tinh.example,/tin,trang=2,1,,2024-03-15 17:00:00\n"
        "w,s1,v1,e3,tinh.example,/tin,,2,tai-ve,2024-03-15 17:00:01\n"
        "w,s2,v2,e4,tinh.example,/,,1,,2024-03-15 17:00:02\n",
        {"2024-03-15": (1, 1), "2024-03-16": (1, 2)},
        {"/": (0, 2), "/tin": (0, 1)},
        1,
        ("w,s2", "x,s2", "line 5: is of another website_id"),
        "w,s1",
    ),
    Export(
        "matomo",
        "days.csv",
        "date,nb_uniq_visitors,nb_visits,nb_actions,nb_pageviews,nb_downloads\n"
        "2024-01-01,300,320,900,850,50\n2024-01-02,10,12,30,30,0\n",
        {"2024-01-01": (320, 850), "2024-01-02": (12, 30)},
        {},
        0,
        ("2024-01-02", "Tue 2 Jan", "line 3: date is 'Tue 2 Jan'"),
        "2024",
    ),
    Export(
        "matomo",
        "pages.csv",
        "label,nb_visits,nb_hits,sum_time_spent,metadata_url\n"
        "/tin/1,40,51,900,https://tinh.example/tin/1\nOthers,5,9,10,\n",
        {},
        {"https://tinh.example/tin/1": (0, 51)},
        1,
        ("40,51", '40,"5,1"', "line 2: nb_hits is '5,1'"),
        "/tin",
    ),
    Export(
        "ga4",
        "pages.csv",
        """\
# ----------------------------------------
# Pages and screens: Page path and screen class
# Account: Tỉnh
# Property: tinh.example
# ----------------------------------------
#
# All Users
# Start date: 20260101
# End date: 20260131
Page path and screen class,Views
/,120

# Start date: 20260101
# End date: 20260131
Page path and screen class,Views,Active users,Views per active user,Event count
/,120,80,1.5,400
/tin/1,45,40,1.125,90
(not set),2,2,1,2
""",
        {},
        {"/": (0, 120), "/tin/1": (0, 45)},
        1,
        ("/tin/1,45", "/tin/1,45.5", "line 17: views is '45.5'"),
        "Page path and screen class,Views\n",
    ),
    Export(
        "ga4",
        "days.csv",
        "# ----------------------------------------\n# Free form 1\n# 20260101-20260102\n"
        "# ----------------------------------------\n\n"
        "Date,Views,Sessions\n,165,110,\n20260101,120,80\n20260102,45,30\n".replace("110,", "110"),
        {"2026-01-01": (80, 120), "2026-01-02": (30, 45)},
        {},
        1,
        ("20260102", "20260230", "line 9: date is '20260230'"),
        "Date",
    ),
]
