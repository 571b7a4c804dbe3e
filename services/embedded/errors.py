"""Errors that end `luot up`."""


class UpError(Exception):
    """One clear line for the person at the terminal."""
