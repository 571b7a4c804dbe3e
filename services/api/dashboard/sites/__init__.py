"""The table of sites, as a page and as a file, and the groups of sites."""
