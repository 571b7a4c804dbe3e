"""What ingest and imports derive from a request: bots, agents, country, URLs, visitor hash."""
