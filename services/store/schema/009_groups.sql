-- Groups of sites: the newest version of a row wins.

CREATE TABLE IF NOT EXISTS site_groups
(
    slug String,
    version UInt64,
    deleted UInt8,
    body String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY slug;
