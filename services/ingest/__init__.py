"""Ingest: takes hits from browsers and puts them into the log."""
