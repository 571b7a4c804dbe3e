"""The store: everything that must survive, in ClickHouse."""

import os

# Read by clickhouse-driver when it is imported: it would otherwise make a table of every date from
# 1900 to 2299, twice, which takes 20 MB and 0.1 s of each process. The spelling is its own.
os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "yes")
