-- What each import added, by the entry of the log that added it: so it can be taken back as a whole.

CREATE TABLE IF NOT EXISTS import_counts
(
    site String,
    producer String,
    position UInt64,
    day Date,
    path String,
    views UInt32,
    visits UInt32
)
ENGINE = ReplacingMergeTree()
ORDER BY (site, producer, position, day, path);

-- An import that was undone may be made again: it is another generation of the same file. What was
-- imported before this table was there is not kept apart, and cannot be undone.

ALTER TABLE imports ADD COLUMN IF NOT EXISTS generation UInt16;

ALTER TABLE imports ADD COLUMN IF NOT EXISTS kept_apart UInt8;

ALTER TABLE imports ADD COLUMN IF NOT EXISTS undone_by String;

ALTER TABLE imports ADD COLUMN IF NOT EXISTS undone_at UInt64;
