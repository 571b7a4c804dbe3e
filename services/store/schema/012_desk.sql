-- What people add to a site at their desks; the newest version of a row counts.

-- Links by which a site's traffic is read without signing in: of each only the SHA-256.
CREATE TABLE IF NOT EXISTS share_links
(
    site String,
    id String,
    version UInt64,
    withdrawn UInt8,
    digest String,
    name String,
    author String,
    at UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, id);

-- What happened on a day.
CREATE TABLE IF NOT EXISTS annotations
(
    site String,
    id String,
    version UInt64,
    deleted UInt8,
    day Date,
    text String,
    author String,
    at UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, id);
