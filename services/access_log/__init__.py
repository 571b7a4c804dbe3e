"""Reads access logs, and uploads their pages to a running Luot."""
