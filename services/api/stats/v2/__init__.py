"""`POST /api/v2/query`: the same numbers, asked for as in version 2 of Plausible's Stats API."""
