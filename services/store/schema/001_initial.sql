-- Everything that must survive. Runs on ClickHouse 18.16 and on every server since.
-- Statements end with a semicolon at the end of a line.

CREATE TABLE IF NOT EXISTS hits
(
    site String,
    path String,
    at UInt64,
    day Date,
    visitor UInt64,
    visit UInt8,
    bot UInt8,
    host LowCardinality(String),
    source LowCardinality(String),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    position UInt64,
    idx UInt16
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day, position, idx);

-- Read by single keys: a small granule is little to read for one row.
CREATE TABLE IF NOT EXISTS counters
(
    site String,
    grain Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4),
    start Date,
    path String,
    views UInt64,
    visits UInt64,
    position UInt64
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (site, grain, start, path)
SETTINGS index_granularity = 512;

CREATE TABLE IF NOT EXISTS visitors
(
    site String,
    day Date,
    visitors AggregateFunction(uniqCombined, UInt64)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day);

CREATE MATERIALIZED VIEW IF NOT EXISTS visitors_of_hits TO visitors AS
SELECT site, day, uniqCombinedState(visitor) AS visitors
FROM hits
WHERE bot = 0 AND visitor != 0
GROUP BY site, day;

CREATE TABLE IF NOT EXISTS peaks
(
    site String,
    day Date,
    online UInt32,
    at UInt64
)
ENGINE = ReplacingMergeTree(online)
ORDER BY (site, day);

CREATE TABLE IF NOT EXISTS sites
(
    slug String,
    version UInt64,
    deleted UInt8,
    body String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY slug;

CREATE TABLE IF NOT EXISTS opening_balances
(
    id String,
    site String,
    path String,
    grain Enum8('day' = 1, 'month' = 2, 'year' = 3, 'total' = 4),
    start Date,
    views Int64,
    visits Int64,
    author String,
    at UInt64,
    reason String
)
ENGINE = ReplacingMergeTree()
ORDER BY (site, id);

CREATE TABLE IF NOT EXISTS users
(
    name String,
    version UInt64,
    deleted UInt8,
    body String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name;

CREATE TABLE IF NOT EXISTS tokens
(
    id String,
    version UInt64,
    deleted UInt8,
    body String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id;

CREATE TABLE IF NOT EXISTS meta
(
    name String,
    version UInt64,
    value String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name;
