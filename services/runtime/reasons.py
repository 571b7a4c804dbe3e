"""Why something failed, in words for people."""


def reason(error: Exception) -> str:
    """Return the system's message for a failure without its number, or else the error's own text.

    For instance `No such file or directory`, which the command line can translate.
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
