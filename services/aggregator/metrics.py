"""The metrics of the aggregator; the catalogue says what they mean."""

from services import metrics

lag_entries = metrics.LAG_ENTRIES.create()
lag_seconds = metrics.LAG_SECONDS.create()
last_commit = metrics.LAST_COMMIT.create()
owned_partitions = metrics.OWNED_PARTITIONS.create()
folded_hits = metrics.FOLDED_HITS.create()
repeated_hits = metrics.REPEATED_HITS.create()
flush_seconds = metrics.FLUSH_SECONDS.create()
flushed_rows = metrics.FLUSHED_ROWS.create()
flush_retries = metrics.FLUSH_RETRIES.create()
replayed_batches = metrics.REPLAYED_BATCHES.create()
repaired_batches = metrics.REPAIRED_BATCHES.create()
dead_entries = metrics.DEAD_ENTRIES.create()
hot_rows = metrics.HOT_ROWS.create()
drift = metrics.DRIFT.create()
last_recount = metrics.LAST_RECOUNT.create()
log_up = metrics.LOG_UP.create().labels("aggregator")
store_up = metrics.STORE_UP.create().labels("aggregator")
uncounted_age = metrics.UNCOUNTED_AGE.create().labels("aggregator")
