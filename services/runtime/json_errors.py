"""What decoding raises for a body or a file that is no JSON."""

import msgspec

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Broken JSON or JSON of other types; bytes that are no UTF-8; and nesting without end."""
