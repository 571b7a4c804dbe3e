"""Reports: the traffic of a period, as an office submits it."""
