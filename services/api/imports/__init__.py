"""Imports of access logs: their chunks, and the progress of each."""
