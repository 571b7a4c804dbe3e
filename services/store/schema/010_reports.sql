-- Reports by e-mail: who gets which; the newest version of a row counts.
CREATE TABLE IF NOT EXISTS report_schedules
(
    site String,
    id String,
    version UInt64,
    removed UInt8,
    period String,
    lang String,
    opening String,
    addresses String,
    author String,
    at UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, id);

-- The last period of each that was sent, and what went wrong with the next.
CREATE TABLE IF NOT EXISTS report_sendings
(
    site String,
    id String,
    version UInt64,
    sent Date,
    sent_at UInt64,
    failures UInt32,
    problem String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, id);
