"""All rows of a panel: searched, sorted, a page at a time, and pages from their counters."""
