"""Alerts by e-mail: what is far from usual on a site, and its end."""
