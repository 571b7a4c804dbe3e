"""The store: everything that must survive, in ClickHouse."""
