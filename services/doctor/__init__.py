"""Checks a running Luot for everything that could be wrong."""
