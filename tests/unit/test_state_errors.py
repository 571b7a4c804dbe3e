"""An error of the shared state says what the server said, and never what was sent."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from services.state.errors import StateError, translated


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RedisConnectionError("Error 111 connecting to h:1."), "Error 111 connecting to h:1."),
        (
            ResponseError(
                "Command # 1 (SET salt:a \\xab) of pipeline caused error: OOM not allowed"
            ),
            "OOM not allowed",
        ),
        (
            ResponseError("unknown command 'X', with args beginning with: 'a' "),
            "unknown command 'X'",
        ),
        (TimeoutError(), "TimeoutError"),
        (ConnectionResetError(104, "reset"), "[Errno 104] reset"),
    ],
)
def test_an_error_keeps_the_words_of_the_server_only(error: Exception, text: str) -> None:
    with pytest.raises(StateError) as raised, translated():
        raise error
    assert str(raised.value) == text
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_what_is_no_fault_of_the_state_passes() -> None:
    with pytest.raises(ValueError, match="ours"), translated():
        raise ValueError("ours")
