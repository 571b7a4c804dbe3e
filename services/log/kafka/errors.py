"""Turns errors of a Kafka client into errors of the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaConnectionError, KafkaError

from services.log.errors import LogError
from services.runtime.reasons import reason


@contextmanager
def translated() -> Iterator[None]:
    """Raise LogError for what the client raises: its kind, never what was sent."""
    try:
        yield
    except TimeoutError as error:
        raise LogError("Kafka does not answer in time") from error
    except KafkaError as error:
        raise LogError(f"Kafka: {type(error).__name__}: {_said(error)}") from error
    except AssertionError as error:
        # The client asserts the state of its transaction; after a failure it has none.
        raise LogError(f"Kafka: the transaction has failed: {error}") from error
    except OSError as error:
        raise LogError(f"Kafka: {reason(error)}") from error


def _said(error: KafkaError) -> str:
    if isinstance(error, KafkaConnectionError):
        return str(error).partition(": ")[2] or str(error)
    return str(getattr(error, "description", None) or getattr(error, "message", None) or "refused")
