"""Alerts by e-mail when something far from usual begins on a site, and when it ends."""
