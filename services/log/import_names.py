"""The producer ids of imports, by which their entries are told from others."""

from hashlib import sha256

_PREFIX = "import-"


def import_producer(site: str, name: str) -> str:
    """Return the producer id of a file's import into a site."""
    return f"{_PREFIX}{sha256(f'{site} {name}'.encode()).hexdigest()[:32]}"


def is_import(producer: str) -> bool:
    """Tell whether the entries of a producer are those of an import."""
    return producer.startswith(_PREFIX)
