-- Who changed what, when: entries are added, never edited.

CREATE TABLE IF NOT EXISTS audit
(
    at UInt64,
    id String,
    failed UInt8,
    who String,
    action String,
    site String,
    subject String,
    before String,
    after String
)
ENGINE = ReplacingMergeTree(failed)
ORDER BY (at, id);
