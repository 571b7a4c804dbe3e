"""The digest that stands for a secret which only one browser has."""

from hashlib import sha256


def secret_digest(secret: str) -> str:
    """Return the digest of a secret, whatever text a browser sends as one."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
