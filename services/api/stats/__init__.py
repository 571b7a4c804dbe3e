"""Traffic queries for people who run portals, in the shapes of Plausible's Stats API v1."""
