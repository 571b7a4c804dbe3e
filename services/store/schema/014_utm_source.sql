-- What the link that a view came by has as utm_source; '' for every other hit. The column `source` has
-- that, or what stands in for it.

ALTER TABLE hits ADD COLUMN IF NOT EXISTS utm_source LowCardinality(String);
