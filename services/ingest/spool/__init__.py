"""The spool: where accepted hits are durable while the log cannot take them.

A folder, with a folder in it for each ingest process that has one, with segments in that; a
segment is a file of records, and a record is one group commit. It holds entries as they go into
the log, so no address and no User-Agent.
"""
