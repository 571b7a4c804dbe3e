"""Tests at another time of day."""
