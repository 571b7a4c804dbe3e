-- Hits of months whose raw hits are not kept: their visitors are counted, the hits are not stored.

CREATE TABLE IF NOT EXISTS old_hits
(
    site String,
    day Date,
    visitor UInt64,
    bot UInt8
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS visitors_of_old_hits TO visitors AS
SELECT site, day, uniqCombinedState(visitor) AS visitors
FROM old_hits
WHERE bot = 0 AND visitor != 0
GROUP BY site, day;
