"""The formats of access logs: one file for each kind."""
