"""A connection to Redis that is lost at any moment is a Redis error, on every event loop."""

import asyncio

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from services.log.redis import raw_pipeline
from services.redis_client.client import connect
from tests.servers.redis import RedisServer, free_port


@pytest.mark.parametrize("runner", [uvloop.run, asyncio.run])
@pytest.mark.parametrize("timeout", [None, 5.0])
def test_a_transport_that_closes_under_a_write(
    redis_server: RedisServer, runner: object, timeout: float | None
) -> None:
    async def lose() -> None:
        redis = connect(redis_server.url, retry=None, socket_timeout=timeout)
        assert await redis.ping()
        connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]

        async def ask() -> None:
            await connection.send_command("PING")
            await connection.read_response()

        connection._writer.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises(RedisConnectionError):
            await ask()
        await redis.connection_pool.release(connection)
        assert await redis.ping()
        await redis.aclose()

    runner(lose())  # type: ignore[operator]


async def test_to_send_nothing_needs_no_connection() -> None:
    async with connect(f"redis://127.0.0.1:{free_port()}", retry=None) as redis:
        await raw_pipeline.send(redis, [])
        with pytest.raises(RedisConnectionError):
            await raw_pipeline.send(redis, [("PING",)])
