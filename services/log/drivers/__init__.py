"""The drivers of the log, one module each: another driver is one more file here."""
