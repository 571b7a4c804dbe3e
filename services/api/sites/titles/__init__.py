"""Titles of pages: what the portal's sitemaps and its people call them."""
