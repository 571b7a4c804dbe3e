"""A cluster of ClickHouse, of which servers go while hits are counted."""
