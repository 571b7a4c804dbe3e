"""Shared state that may be lost at any time without a wrong number."""
