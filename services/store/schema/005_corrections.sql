-- What people have taken back. A run is one correction or one reversal; what it wrote counts once
-- its row stands in `corrections`, which is written last.

CREATE TABLE IF NOT EXISTS corrections
(
    site String,
    id String,
    run String,
    reverses String,
    first Date,
    last Date,
    until UInt64,
    views Int64,
    visits Int64,
    visitors Int64,
    query String,
    author String,
    at UInt64,
    reason String
)
ENGINE = ReplacingMergeTree()
ORDER BY (site, id);

-- Of a page, or of the whole site (path ''), on a day; above zero is taken away.
CREATE TABLE IF NOT EXISTS correction_entries
(
    site String,
    path String,
    day Date,
    run String,
    views Int64,
    visits Int64,
    visitors Int64
)
ENGINE = ReplacingMergeTree()
ORDER BY (site, path, day, run);

CREATE TABLE IF NOT EXISTS corrected_hits
(
    site String,
    day Date,
    position UInt64,
    idx UInt16,
    run String
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day, position, idx, run);

-- Views that begin a visit because those before them are taken back: 1, or -1 where no longer.
CREATE TABLE IF NOT EXISTS moved_visits
(
    site String,
    day Date,
    position UInt64,
    idx UInt16,
    run String,
    begins Int8
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (site, day, position, idx, run);

CREATE TABLE IF NOT EXISTS peak_resets
(
    site String,
    day Date,
    version UInt64,
    is_reset UInt8,
    author String,
    reason String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, day);
