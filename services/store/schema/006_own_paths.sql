-- Of a hit that counts under (other): the path of its page, '' for every other hit.

ALTER TABLE hits ADD COLUMN IF NOT EXISTS own_path String;

-- Views that were counted under (other) and given back to their pages, as absolute numbers: the
-- newest version of a row wins.

CREATE TABLE IF NOT EXISTS returned_views
(
    site String,
    path String,
    day Date,
    views UInt64,
    visits UInt64,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, path, day);
