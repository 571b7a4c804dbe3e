-- What pages of a site are called; the newest version of a row counts.

-- Pages that a sitemap of the portal or its people name; `title` is '' until it was read.
CREATE TABLE IF NOT EXISTS titles
(
    site String,
    path String,
    version UInt64,
    gone UInt8,
    title String,
    by_hand UInt8,
    url String,
    read_at UInt64,
    etag String,
    modified String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, path);

-- Where the titles of a site come from.
CREATE TABLE IF NOT EXISTS title_plans
(
    site String,
    version UInt64,
    sitemap String,
    daily UInt8,
    in_top UInt8,
    author String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY site;

-- The last reading of a portal, while it runs and after.
CREATE TABLE IF NOT EXISTS title_runs
(
    site String,
    version UInt64,
    state String,
    author String,
    started UInt64,
    ended UInt64,
    sitemaps UInt32,
    named UInt32,
    asked UInt32,
    found UInt32,
    problem String,
    validators String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY site;
