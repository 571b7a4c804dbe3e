-- Visits of days that are over, put together once: what raw hits say of each, by its first view, and
-- the page of its last one. They are made from raw hits, and go with them.

CREATE TABLE IF NOT EXISTS ended_visits
(
    site String,
    day Date,
    version UInt64,
    seen UInt64,
    is_bounce UInt8,
    ms UInt32,
    exit_path LowCardinality(String),
    path LowCardinality(String),
    host LowCardinality(String),
    source LowCardinality(String),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    region LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_content LowCardinality(String),
    utm_term LowCardinality(String)
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day, version);

-- Of which days they are whole, and a digest of the hits that they were made from: written last, and
-- good as long as the hits have it. The newest version of a row wins.
CREATE TABLE IF NOT EXISTS ended_days
(
    site String,
    day Date,
    version UInt64,
    digest UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (site, day);
