"""Generates traffic for trials and load tests: page views replayed from a log, or simulated."""
