"""Kafka takes the settings that are shipped for many processes, and its brokers come together."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from services.log.errors import LogError
from services.log.kafka.address import KafkaAddress
from services.log.open import open_log
from tests.patience import rounds
from tests.servers.kafka import jars
from tests.servers.many import brokers, free_ports
from tests.unit.compose_file import DEPLOY, made

ADDRESSES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
# Internal topics of fifty partitions take a busy machine long.
FEWER = "offsets.topic.num.partitions=2\ntransaction.state.log.num.partitions=2\n"


async def until(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    for _ in rounds(0.5):
        if holds():
            return
        await asyncio.sleep(0.5)
    raise AssertionError("it does not come to hold")


async def settings(address: KafkaAddress, broker: int) -> dict[str, str]:
    """Return every setting that a broker knows."""
    admin = AIOKafkaAdminClient(**address.options(), request_timeout_ms=60_000)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.BROKER, str(broker))
        [answer] = await admin.describe_configs([resource])
    finally:
        await admin.close()
    [(_, _, _, _, entries)] = answer.resources
    return {name: value for name, value, *_ in entries}


async def test_three_brokers_with_the_shipped_files_are_a_log_that_is_safe(tmp_path: Path) -> None:
    ports = free_ports((9091, 9092, 9093))
    secrets = tmp_path / "secrets"
    made(secrets, KAFKA_BROKERS=" ".join(f"{one}:{ports[9092]}" for one in ADDRESSES))
    servers = brokers(tmp_path, secrets, jars(), ports, ADDRESSES)
    url = (secrets / "ingest/log_url").read_text("utf-8").strip()
    address = KafkaAddress.parse(url)
    with contextlib.ExitStack() as stack:
        for server in servers:
            with (server.files / "broker.properties").open("a") as file:
                file.write(FEWER)
            stack.callback(server.kill)
            server.start()
        first, _, last = servers
        # For the first time only once all are there.
        assert not first.is_ready()
        await until(first.is_ready)

        text = (DEPLOY / "kafka/broker.properties").read_text("utf-8")
        wanted = dict(re.findall(r"^([a-z][\w.]+)=(.+)$", text, re.MULTILINE))
        of_listener = {name for name in wanted if name.startswith("listener")}
        found = await settings(address, 2)
        for name in wanted.keys() - of_listener:
            assert found[name] == wanted[name], name

        log = open_log(url, partitions=2)
        for _ in rounds(1):
            with contextlib.suppress(LogError, TimeoutError):
                await log.admin.make()
                await log.check(unsafe_eviction=False)
                break
            await asyncio.sleep(1)
        checks = {check.name: check for check in await log.examine()}
        assert checks["topic hits"].ok
        assert checks["topic hits"].value.startswith("3 copies of each entry")
        await log.close()

        nobody = AIOKafkaAdminClient(bootstrap_servers=f"{ADDRESSES[0]}:{ports[9092]}")
        with contextlib.suppress(KafkaError):
            await nobody.start()
            raise AssertionError("whoever has no account gets in")
        await nobody.close()

        # Later each is asked alone.
        last.kill()
        assert first.is_ready()
