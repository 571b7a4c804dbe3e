"""Backups: the whole store in a folder of portable files, and restoring them."""
