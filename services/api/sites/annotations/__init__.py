"""Annotations: what happened on days of a site."""
