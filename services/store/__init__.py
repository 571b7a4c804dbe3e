"""The store: everything that must survive, in ClickHouse."""

import os

# Read by clickhouse-driver on import: it would otherwise build a table of every date from 1900 to
# 2299, twice, which takes 20 MB and 0.1 s in each process. The spelling is the driver's.
os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "yes")
