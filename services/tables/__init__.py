"""Exports of other counters: what they counted, read from their files, as lines of our own."""
