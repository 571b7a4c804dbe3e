-- For the account grafana_luot on Debian 12's 18.16; run once, as `luot` or `default`:
--     clickhouse-client --multiquery < debian-12.sql
-- 18.16 has no rights on tables, and a view needs the reader's right to the whole database that it
-- reads. A materialized view reads its table with the rights of the server. So these stand for the
-- tables that traffic_by_day is made of, in a database of their own; they hold nothing, and nothing
-- is ever written through them. No table with a visitor, a user or a token is among them.

CREATE DATABASE IF NOT EXISTS grafana_luot;

USE grafana_luot;

CREATE TABLE IF NOT EXISTS nothing (nothing UInt8) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS counters TO luot.counters
(
    site String,
    grain Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4),
    start Date,
    path String,
    views UInt64,
    visits UInt64,
    position UInt64
)
AS SELECT
    '' AS site,
    CAST('day' AS Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4)) AS grain,
    toDate(0) AS start,
    '' AS path,
    toUInt64(0) AS views,
    toUInt64(0) AS visits,
    toUInt64(0) AS position
FROM nothing;

CREATE MATERIALIZED VIEW IF NOT EXISTS returned_views TO luot.returned_views
(
    site String,
    path String,
    day Date,
    views UInt64,
    visits UInt64,
    version UInt64
)
AS SELECT
    '' AS site,
    '' AS path,
    toDate(0) AS day,
    toUInt64(0) AS views,
    toUInt64(0) AS visits,
    toUInt64(0) AS version
FROM nothing;

CREATE MATERIALIZED VIEW IF NOT EXISTS correction_entries TO luot.correction_entries
(
    site String,
    path String,
    day Date,
    run String,
    views Int64,
    visits Int64
)
AS SELECT
    '' AS site,
    '' AS path,
    toDate(0) AS day,
    '' AS run,
    toInt64(0) AS views,
    toInt64(0) AS visits
FROM nothing;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrections TO luot.corrections
(
    run String
)
AS SELECT
    '' AS run
FROM nothing;

CREATE MATERIALIZED VIEW IF NOT EXISTS opening_balances TO luot.opening_balances
(
    id String,
    site String,
    path String,
    grain Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4),
    start Date,
    views Int64,
    visits Int64,
    at UInt64
)
AS SELECT
    '' AS id,
    '' AS site,
    '' AS path,
    CAST('day' AS Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4)) AS grain,
    toDate(0) AS start,
    toInt64(0) AS views,
    toInt64(0) AS visits,
    toUInt64(0) AS at
FROM nothing;

CREATE MATERIALIZED VIEW IF NOT EXISTS sites TO luot.sites
(
    slug String,
    version UInt64,
    deleted UInt8,
    body String
)
AS SELECT
    '' AS slug,
    toUInt64(0) AS version,
    toUInt8(0) AS deleted,
    '' AS body
FROM nothing;

-- Sites that are there, by the name that their hits and counters have.
CREATE VIEW IF NOT EXISTS kept_sites AS
SELECT own_site, if(kept = '', own_site, kept) AS name, merged_into
FROM
(
    SELECT slug AS own_site, visitParamExtractString(argMax(body, version), 'kept_as') AS kept,
        visitParamExtractString(argMax(body, version), 'merged_into') AS merged_into
    FROM sites
    GROUP BY slug
    HAVING argMax(deleted, version) = 0
);

-- Of each the site that shows its numbers: itself, or the one it is merged into, which may be merged
-- into another one.
CREATE VIEW IF NOT EXISTS shown_sites AS
SELECT name, own_site,
    if(third != '', third, if(second != '', second, if(first != '', first, own_site))) AS site
FROM
(
    SELECT name, own_site, first, second, into_third
    FROM
    (
        SELECT name, own_site, first, into_second
        FROM
        (
            SELECT name, own_site, merged_into AS into_first FROM kept_sites
        ) AS one
        ANY LEFT JOIN
        (
            SELECT name AS into_first, own_site AS first, merged_into AS into_second FROM kept_sites
        ) AS other
        USING into_first
    ) AS one
    ANY LEFT JOIN
    (
        SELECT name AS into_second, own_site AS second, merged_into AS into_third FROM kept_sites
    ) AS other
    USING into_second
) AS one
ANY LEFT JOIN
(
    SELECT name AS into_third, own_site AS third FROM kept_sites
) AS other
USING into_third;

-- Views and visits of each page and day, and of the whole site (path ''), as the public numbers
-- have them.
CREATE VIEW IF NOT EXISTS traffic_by_day AS
SELECT site, own_site, path, day, views, visits, opening_views, opening_visits
FROM
(
    SELECT name, path, day,
        greatest(sum(of_views), toInt64(0)) + sum(brought_views) AS views,
        greatest(sum(of_visits), toInt64(0)) + sum(brought_visits) AS visits,
        sum(brought_views) AS opening_views,
        sum(brought_visits) AS opening_visits
    FROM
    (
        SELECT site AS name, path, start AS day,
            toInt64(argMax(views, position)) AS of_views,
            toInt64(argMax(visits, position)) AS of_visits,
            toInt64(0) AS brought_views, toInt64(0) AS brought_visits
        FROM counters
        WHERE grain = 'day'
        GROUP BY site, path, start
        UNION ALL
        SELECT site AS name, path, day,
            toInt64(argMax(views, version)) AS of_views,
            toInt64(argMax(visits, version)) AS of_visits,
            toInt64(0) AS brought_views, toInt64(0) AS brought_visits
        FROM returned_views
        GROUP BY site, path, day
        UNION ALL
        SELECT site AS name, '(other)' AS path, day, -returned AS of_views,
            -returned_visits AS of_visits,
            toInt64(0) AS brought_views, toInt64(0) AS brought_visits
        FROM
        (
            SELECT site, day, toInt64(argMax(views, version)) AS returned,
                toInt64(argMax(visits, version)) AS returned_visits
            FROM returned_views
            GROUP BY site, path, day
        )
        UNION ALL
        SELECT site AS name, path, day, -any(views) AS of_views, -any(visits) AS of_visits,
            toInt64(0) AS brought_views, toInt64(0) AS brought_visits
        FROM correction_entries
        WHERE run IN (SELECT run FROM corrections)
        GROUP BY site, path, day, run
        UNION ALL
        SELECT name, held_path AS path, held_start AS day, toInt64(0) AS of_views,
            toInt64(0) AS of_visits, brought_views, brought_visits
        FROM
        (
            SELECT site AS name, argMin(path, at) AS held_path, argMin(start, at) AS held_start,
                argMin(toString(grain), at) AS held_grain,
                argMin(views, at) AS brought_views, argMin(visits, at) AS brought_visits
            FROM opening_balances
            GROUP BY site, id
        )
        WHERE held_grain = 'day'
    )
    GROUP BY name, path, day
) AS one
ALL INNER JOIN
(
    SELECT name, own_site, site FROM shown_sites
) AS other
USING name;
