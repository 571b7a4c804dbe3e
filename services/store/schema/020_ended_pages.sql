-- What raw hits say of the pages of days that are over, put together with their visits: views, visits
-- that began there, who saw a page, and who began a visit on it.

CREATE TABLE IF NOT EXISTS ended_pages
(
    site String,
    day Date,
    version UInt64,
    path String,
    views UInt32,
    begun UInt32,
    seen UInt32,
    beginners UInt32
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day, version, path);

-- Days that were put together before have no pages: they are put together again.
TRUNCATE TABLE IF EXISTS ended_days;
