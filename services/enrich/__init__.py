"""What ingest and imports make of a request: bots, agents, country, URLs, the visitor hash."""
