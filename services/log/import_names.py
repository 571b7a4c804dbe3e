"""What all logs have in common for imports: their producer ids, and their visitors' salts."""

from hashlib import sha256

SALT_BYTES = 32
SALT_SECONDS = 48 * 3600
"""How long after the last import of a site the next one still recognises its visitors."""
BEHIND_SECONDS = 2.5
"""The aggregator lags further than this only when it is overloaded or down."""
_PREFIX = "import-"


def import_producer(site: str, name: str) -> str:
    """Return the producer id of a file's import into a site."""
    return f"{_PREFIX}{sha256(f'{site} {name}'.encode()).hexdigest()[:32]}"


def is_import(producer: str) -> bool:
    """Tell whether the entries of a producer are those of an import."""
    return producer.startswith(_PREFIX)
