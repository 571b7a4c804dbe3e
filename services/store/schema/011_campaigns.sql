-- What the link that a view came by names as its campaign; '' for every other hit.

ALTER TABLE hits ADD COLUMN IF NOT EXISTS utm_medium LowCardinality(String);

ALTER TABLE hits ADD COLUMN IF NOT EXISTS utm_campaign LowCardinality(String);

ALTER TABLE hits ADD COLUMN IF NOT EXISTS utm_content LowCardinality(String);

ALTER TABLE hits ADD COLUMN IF NOT EXISTS utm_term LowCardinality(String);
