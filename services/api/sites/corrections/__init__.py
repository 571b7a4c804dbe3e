"""Corrections: counted views that are taken back, found by a query over raw hits."""
