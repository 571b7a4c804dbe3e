"""`POST /api/v2/query`: the same numbers, queried as in version 2 of Plausible's Stats API."""
