"""The drivers of the store: a ClickHouse server, and the engine embedded in the process."""
