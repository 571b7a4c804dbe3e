"""Titles of pages: from the portal's sitemaps and pages, or written by its people."""
