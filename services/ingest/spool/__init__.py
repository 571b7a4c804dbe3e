"""The spool: where accepted hits are durable while the log cannot take them.

It is a folder with one subfolder per ingest process. A subfolder holds segments; a segment is a
file of records, and a record is one group commit. Entries are stored as they go into the log, so
without address and User-Agent.
"""
