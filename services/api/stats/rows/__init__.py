"""All rows of a panel: searched, sorted and paginated, with pages read from their counters."""
