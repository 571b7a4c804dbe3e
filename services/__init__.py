"""Luot counts visits to web portals and shows the count on the page."""

__version__ = "0.1.0"
