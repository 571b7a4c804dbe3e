"""The page of a site's traffic: its chart, numbers and panels, all rows of one, and files."""
