-- The visitors of days, once more, where those of one site are found without reading those of all
-- others: a row is kilobytes, so thousands of rows must not be one granule.

CREATE TABLE IF NOT EXISTS daily_visitors
(
    site String,
    day Date,
    visitors AggregateFunction(uniqCombined, UInt64)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day)
SETTINGS index_granularity = 8;

CREATE MATERIALIZED VIEW IF NOT EXISTS daily_visitors_of_hits TO daily_visitors AS
SELECT site, day, uniqCombinedState(visitor) AS visitors
FROM hits
WHERE bot = 0 AND visitor != 0
GROUP BY site, day;

CREATE MATERIALIZED VIEW IF NOT EXISTS daily_visitors_of_old_hits TO daily_visitors AS
SELECT site, day, uniqCombinedState(visitor) AS visitors
FROM old_hits
WHERE bot = 0 AND visitor != 0
GROUP BY site, day;

DROP TABLE IF EXISTS visitors_of_hits;
DROP TABLE IF EXISTS visitors_of_old_hits;

-- Whoever was counted before is counted once, however often this is done. The rows stay in the table
-- of before as well: services of the version before read it until they are replaced.
INSERT INTO daily_visitors SELECT site, day, visitors FROM visitors
WHERE toYYYYMM(day) = %(month)s;
