"""The panels of a site's page: which there are, what they ask, and what they contain."""
