"""`/api/v1/stats` and `/api/v1/sites`: the routes of version 1 of Plausible's API."""
