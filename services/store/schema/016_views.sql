-- What people query with other programs, Grafana first of all (docs/grafana.md): sites by their
-- slugs, each with its own numbers and those of sites that are merged into it. The statements of all
-- but traffic_hits stand in deploy/clickhouse/grafana/debian-12.sql, too.

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

-- Raw hits, each once, without the hash of the visitor.
CREATE VIEW IF NOT EXISTS traffic_hits AS
SELECT site, own_site, time, day, path, host, referrer, device, browser, os, country, utm_medium,
    utm_campaign, utm_content, utm_term, is_bot, is_corrected, begins_visit
FROM
(
    SELECT site AS name, toDateTime(intDiv(at, 1000)) AS time, day, path, host,
        source AS referrer, device, browser, os, country, utm_medium, utm_campaign, utm_content,
        utm_term, bot AS is_bot, visit AS begins_visit,
        cityHash64(site, position, idx) IN
        (
            SELECT cityHash64(site, position, idx)
            FROM corrected_hits
            WHERE run IN
            (
                SELECT run
                FROM corrections
                WHERE reverses = '' AND (site, id) NOT IN (SELECT site, reverses FROM corrections)
            )
        ) AS is_corrected
    FROM hits FINAL
) AS one
ALL INNER JOIN
(
    SELECT name, own_site, site FROM shown_sites
) AS other
USING name;
