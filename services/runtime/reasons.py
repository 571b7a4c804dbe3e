"""Why something failed, in words for people."""


def reason(error: Exception) -> str:
    """Return what the system says of a failure without its number, or else the error's own text.

    Such as `No such file or directory`, which the command line has in other languages.
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
