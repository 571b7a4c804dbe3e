"""Traffic for trying and for load: page views out of an access log, or made up, as real hits."""
