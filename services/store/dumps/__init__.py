"""The rows of a store, or of one site, written out for elsewhere, and read in again."""
