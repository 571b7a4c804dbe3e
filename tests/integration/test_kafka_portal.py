"""A whole Luot whose log is a real Kafka: numbers, commands, a backup, and what is killed."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.log.batch import decode
from services.log.open import open_log
from services.store.open import open_store
from tests.integration.backup.test_rewind import both
from tests.integration.backup.world import differences, done, folded, refused, total_views
from tests.integration.imports.world import line, run
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import KafkaServer
from tests.servers.services import Service
from tests.servers.system import BROWSER, TOKEN, System

TOPIC = "portal"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), secured=True) as server:
        yield server


@pytest.fixture(scope="module")
def portal(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(
        tmp_path_factory.mktemp("luot"),
        LUOT_LOG_URL=kafka.secured_url(TOPIC),
    )
    try:
        yield system.start()
    finally:
        system.stop()


async def test_a_hit_becomes_a_number_through_kafka(portal: System, kafka: KafkaServer) -> None:
    portal.add_site("mytho")
    assert portal.hit("mytho", "/tin-tuc/bai-1.html").status_code == 202
    assert portal.counter_when("mytho", total=1)["today"] == 1
    portal.hit("mytho", "/tin-tuc/bai-2.html")
    portal.hit("mytho", "/tin-tuc/bai-2.html", **{"X-Forwarded-For": "203.0.113.7"})
    portal.counter_when("mytho", total=3, metric="views")
    portal.counter_when("mytho", total=2)
    spools = portal.ingest.log.parent / "spool"
    assert await producers_of(kafka.secured_url(TOPIC)) <= {path.name for path in spools.iterdir()}


async def producers_of(url: str) -> set[str]:
    """Return the ids of those who have appended entries to a log."""
    log = open_log(url)
    found = await log.reader.read(dict.fromkeys(range(log.partitions), 0), limit=10)
    await log.close()
    return {record.headers["p"].decode() for records in found.values() for record in records}


def test_a_restored_backup_and_a_rewind_come_to_the_same_books(
    portal: System, kafka: KafkaServer, tmp_path: Path
) -> None:
    log_url = kafka.secured_url(TOPIC)
    at = {
        **portal.store_of("luot"),
        "LUOT_REDIS_URL": portal.redis_url("luot"),
        "LUOT_LOG_URL": log_url,
    }
    store_url, folder = at["LUOT_CLICKHOUSE_URL"], str(tmp_path / "backup")
    portal.add_site("camau")
    view(portal, "camau", range(20))
    portal.counter_when("camau", total=20, metric="views")
    done("backup", folder, **at)
    view(portal, "camau", range(20, 45))
    portal.counter_when("camau", total=45, metric="views")
    for command in (("restore", folder, "--replace"), ("rewind",)):
        assert "stop every aggregator" in refused(*command, "--yes", **at).lower()
    assert portal.aggregator.stop() == 0
    assert views_of(store_url, "camau") == 45

    said = done("restore", folder, "--replace", "--yes", **at)
    assert "resumes from" in said
    assert views_of(store_url, "camau") == 20
    view(portal, "camau", range(45, 50))
    assert "would leave hits out" in refused("rewind", "--to", "0s", "--yes", **at)
    portal.aggregator.start()
    portal.counter_when("camau", total=50, metric="views")
    asyncio.run(folded(log_url))
    assert views_of(store_url, "camau") == 50
    assert asyncio.run(differences(store_url)) == []

    assert portal.aggregator.stop() == 0
    after = asyncio.run(both(store_url))
    asyncio.run(lose_counts(store_url))
    assert "entries to fold" in done("rewind", "--dry-run", **at)
    assert "Start the aggregator" in done("rewind", "--yes", **at)
    portal.aggregator.start()
    asyncio.run(folded(log_url))
    assert asyncio.run(both(store_url)) == after


def view(portal: System, site: str, numbers: range) -> None:
    """Send a view for each number, of five visitors, each known by a key of its own."""
    for number in numbers:
        address = {"X-Forwarded-For": f"203.0.113.{number % 5}"}
        key = f"0.{secrets.randbits(50)}"
        assert portal.hit(site, f"/{number}", number=key, **address).status_code == 202


def views_of(store_url: str, site: str) -> int:
    """Return the views that the pages of a site have in the store."""
    found = asyncio.run(total_views(store_url))
    return sum(views for (name, _), views in found.items() if name == site)


async def lose_counts(store_url: str) -> None:
    store = open_store(store_url)
    await store.execute("TRUNCATE TABLE counters")
    await store.execute("TRUNCATE TABLE hits")
    await store.close()


def test_the_tail_the_doctor_and_an_import_go_through_kafka(portal: System, tmp_path: Path) -> None:
    portal.add_site("danang")
    portal.hit("danang", "/tin")
    portal.counter_when("danang", total=1)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{portal.api.url}/api/admin/tail?site=danang&since=600"
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE_SECONDS) as stream:
        seen = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert '"path":"/tin"' in seen

    log = tmp_path / "access.log"
    lines = [line(f"01/Mar/2024:10:{minute:02}:00 +0700", f"/{minute}") for minute in range(30)]
    log.write_text("\n".join(lines) + "\n")
    imported = run(portal.api, "--site", "danang", log)
    assert imported.returncode == 0, imported.stderr
    portal.counter_when("danang", total=31, metric="views")

    said = httpx.get(f"{portal.api.url}/api/admin/doctor", headers=headers, timeout=60).json()
    checks = {check["name"]: check for check in said if check["part"] == "log"}
    assert [check for check in checks.values() if check["ok"] is False] == []
    assert "1 broker of" in checks["Kafka"]["found"]
    assert "one copy of each entry" in checks["topic portal"]["found"]
    assert "Kafka's version" not in checks


def test_what_a_killed_aggregator_had_is_counted_once_by_the_next(portal: System) -> None:
    portal.add_site("hue")
    for number in range(20):
        portal.hit("hue", f"/{number}", number=f"0.{number}1")
        if number == 10:
            portal.aggregator.kill()
    portal.aggregator.start()
    portal.counter_when("hue", total=20, metric="views")


def test_hits_wait_in_the_spool_while_kafka_is_away(portal: System, kafka: KafkaServer) -> None:
    portal.add_site("vinh")
    portal.hit("vinh", "/", number="0.1")
    portal.counter_when("vinh", total=1, metric="views")
    kafka.kill()
    for number in range(5):
        assert portal.hit("vinh", f"/{number}", number=f"0.2{number}").status_code == 202
    kafka.start()
    portal.counter_when("vinh", total=6, metric="views")


def test_an_ingest_takes_hits_without_kafka_once_it_has_been_there(
    portal: System, kafka: KafkaServer, tmp_path: Path
) -> None:
    """Before that nothing says that the topic has as many partitions, and deletes no hits."""
    portal.add_site("pleiku")
    ingest = Service(
        "ingest",
        tmp_path,
        LUOT_REDIS_URL=portal.redis_url("ingest"),
        LUOT_LOG_URL=kafka.secured_url(TOPIC),
    )

    def posted(path: str) -> int:
        event = {"n": "pageview", "d": "pleiku", "u": f"https://pleiku.example{path}"}
        headers = {"User-Agent": BROWSER}
        return httpx.post(f"{ingest.url}/api/event", json=event, headers=headers).status_code

    try:
        kafka.kill()
        ingest.start(wait=False)
        ingest.wait_until_alive()
        ready = httpx.get(f"{ingest.url}/readyz")
        assert ready.status_code == 503
        assert ready.json()["reason"].startswith("the log cannot be asked: ")
        assert ready.json()["reason"].endswith("and there is no copy of the sites")
        assert posted("/refused") == 503
        kafka.start()
        ingest.wait_until_ready()
        assert posted("/1") == 202

        assert ingest.stop() == 0
        kafka.kill()
        ingest.start()
        assert posted("/2") == 202
        assert "luot_spool_hits 0.0" not in httpx.get(f"{ingest.url}/metrics").text
        kafka.start()
        portal.counter_when("pleiku", total=2, metric="views")
    finally:
        ingest.stop()


@pytest.fixture(scope="module")
def other_ingest(
    portal: System, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A second ingest of the same machine: its spool is in the same folder."""
    other = Service(
        "ingest",
        tmp_path_factory.mktemp("other"),
        LUOT_REDIS_URL=portal.redis_url("ingest"),
        LUOT_LOG_URL=kafka.secured_url(TOPIC),
        LUOT_SPOOL=str(portal.ingest.log.parent / "spool"),
    )
    try:
        yield other.start()
    finally:
        other.stop()


@pytest.mark.parametrize("point", ["sent", "not committed", "committed"])
def test_an_ingest_that_dies_in_a_transaction_leaves_nothing_lost_or_doubled(
    portal: System, kafka: KafkaServer, other_ingest: Service, tmp_path: Path, point: str
) -> None:
    """Its spool, its id and its transaction are for the other one."""
    site = point.replace(" ", "-")
    switch = tmp_path / "dies"
    portal.add_site(site)
    portal.ingest.stop()
    portal.ingest.module = "tests.servers.dying_ingest"
    portal.ingest.start(DIES_AT=str(switch))
    # It has hits in the log, and further ones that are accepted and only in its spool.
    view(portal, site, range(3))
    kafka.freeze()
    try:
        view(portal, site, range(3, 10))
        switch.write_text(point)
    finally:
        kafka.thaw()
    until_dead(portal.ingest)
    portal.counter_when(site, total=10, metric="views")
    asyncio.run(folded(kafka.secured_url(TOPIC)))
    assert views_of(portal.store_of("api")["LUOT_CLICKHOUSE_URL"], site) == 10

    # It was where the test wanted it: what it had sent is in the log, and again where no commit
    # came; readers see it once.
    appended = asyncio.run(appended_entries(kafka, site, "read_uncommitted"))
    repeated = [entry for entry, times in appended.items() if times > 1]
    seen = asyncio.run(appended_entries(kafka, site, "read_committed"))
    assert set(seen.values()) == {1}
    assert bool(repeated) == (point != "committed")
    portal.ingest.module = "services.cli.main"
    portal.ingest.start()


def until_dead(service: Service) -> None:
    """Return when a process was killed by what it had in itself."""
    for _ in rounds(0.05):
        try:
            httpx.get(f"{service.url}/healthz")
        except httpx.TransportError:
            break
        time.sleep(0.05)
    assert service.stop() == -9


async def appended_entries(
    kafka: KafkaServer, site: str, isolation: str
) -> Counter[tuple[int, bytes, bytes]]:
    """Return how often each entry of a site, by partition, producer and sequence, is there."""
    found: Counter[tuple[int, bytes, bytes]] = Counter()
    async with AIOKafkaConsumer(
        bootstrap_servers=f"127.0.0.1:{kafka.port}",
        isolation_level=isolation,
        auto_offset_reset="earliest",
    ) as consumer:
        everywhere = [TopicPartition(TOPIC, number) for number in range(8)]
        consumer.assign(everywhere)
        ends = await consumer.end_offsets(everywhere)
        await consumer.seek_to_beginning(*everywhere)
        for _ in rounds(0.2):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    headers = dict(record.headers)
                    if decode(record.value).site[0] == site:
                        found[place.partition, headers["p"], headers["s"]] += 1
            reached = [await consumer.position(place) for place in everywhere]
            if all(at >= ends[place] for at, place in zip(reached, everywhere, strict=True)):
                return found
    raise AssertionError("the topic was not read to its end")
