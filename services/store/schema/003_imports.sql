-- Which access logs were imported: one row a site and content, kept for good.

CREATE TABLE IF NOT EXISTS imports
(
    site String,
    digest String,
    version UInt64,
    done UInt8,
    taken UInt64,
    hits UInt64,
    file String,
    host String,
    until UInt64,
    lines UInt64,
    first_at UInt64,
    last_at UInt64,
    author String,
    begun_at UInt64,
    at UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, digest);
