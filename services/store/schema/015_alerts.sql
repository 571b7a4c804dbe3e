-- Alerts by e-mail; the newest version of a row counts.

-- What the editors of a site want to be told of: hours and percents, 0 for nothing.
CREATE TABLE IF NOT EXISTS alert_rules
(
    site String,
    version UInt64,
    addresses String,
    lang String,
    silent_hours UInt32,
    spike_percent UInt32,
    drop_percent UInt32,
    author String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY site;

-- What happened, and which of its two messages went out.
CREATE TABLE IF NOT EXISTS alert_events
(
    site String,
    id String,
    version UInt64,
    kind String,
    noticed UInt64,
    since UInt64,
    until UInt64,
    seen UInt64,
    usual UInt64,
    told UInt64,
    ended UInt64,
    end_since UInt64,
    end_until UInt64,
    end_seen UInt64,
    end_usual UInt64,
    end_told UInt64,
    dismissed UInt8,
    failures UInt32,
    problem String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, id);
