"""Exports of other counters: reads what they counted from their files."""
