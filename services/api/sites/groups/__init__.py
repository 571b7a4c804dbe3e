"""Groups of sites: a tree, kept in the store."""
