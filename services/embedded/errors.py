"""Why `luot up` cannot go on."""


class UpError(Exception):
    """One clear line for the person at the terminal."""
