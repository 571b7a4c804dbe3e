-- The province that a hit came from; '' where it is not known.

ALTER TABLE hits ADD COLUMN IF NOT EXISTS region LowCardinality(String);

-- The view of 016_views.sql, with it.
DROP TABLE IF EXISTS traffic_hits;

CREATE VIEW IF NOT EXISTS traffic_hits AS
SELECT site, own_site, time, day, path, host, referrer, device, browser, os, country, region,
    utm_medium, utm_campaign, utm_content, utm_term, is_bot, is_corrected, begins_visit
FROM
(
    SELECT site AS name, toDateTime(intDiv(at, 1000)) AS time, day, path, host,
        source AS referrer, device, browser, os, country, region, utm_medium, utm_campaign,
        utm_content, utm_term, bot AS is_bot, visit AS begins_visit,
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
