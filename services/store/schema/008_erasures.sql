-- Sites that were erased, by the name they were kept under: nothing of that name is kept any more,
-- whenever it comes. `position` is that of the newest counter row that was deleted: who asks how far
-- the counters of a partition reach must not miss it. The newest version of a row wins.

CREATE TABLE IF NOT EXISTS erasures
(
    name String,
    version UInt64,
    slug String,
    state UInt8,
    position UInt64,
    author String,
    at UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name;
