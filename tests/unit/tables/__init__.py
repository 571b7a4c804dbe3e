"""Exports of other counters, in the real formats."""
