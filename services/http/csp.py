"""Content-Security-Policy of pages with inline text of their own: style or script."""

from base64 import b64encode
from hashlib import sha256


def of_text(text: str) -> str:
    """Return the hash source that allows exactly this style or script (CSP 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
