"""docker-compose.many.yml fits the code, docker-compose.yml, and the files that it mounts."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services import __version__
from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.ingest.settings import IngestSettings
from services.log.kafka.address import KafkaAddress
from services.settings import Settings, StoreSettings
from services.store.drivers.address import Address
from tests.attack.limits import UNITS
from tests.unit.compose_file import (
    COMPOSE,
    CONTAINERS,
    DEPLOY,
    DOCKERFILE,
    MANY,
    ROOT,
    TEXT,
    always_there,
    environment,
    filled,
    made,
)

FILE: dict[str, Any] = yaml.safe_load((ROOT / MANY).read_text("utf-8"))
SERVED: dict[str, dict[str, Any]] = FILE["services"]
BROKERS = [f"kafka-{number}" for number in (1, 2, 3)]
ZOOKEEPERS = [f"zookeeper-{number}" for number in (1, 2, 3)]
SERVERS = [f"clickhouse-{shard}-{replica}" for shard in (1, 2) for replica in (1, 2)]
SERVICES: dict[str, type[Settings]] = {
    **dict.fromkeys(("ingest-1", "ingest-2"), IngestSettings),
    **dict.fromkeys(("aggregator-1", "aggregator-2", "aggregator-3"), AggregatorSettings),
    **dict.fromkeys(("api-1", "api-2"), ApiSettings),
}
JOBS = ("setup", "log-create", "migrate")
COMMANDS = ("backup", "verify", "luot")
each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    given = SERVED["setup"]["environment"]
    made(folder, **{name: filled(value) for name, value in given.items()})
    return folder


def test_there_are_as_many_of_each_as_is_said() -> None:
    stores = {"redis", *BROKERS, *ZOOKEEPERS, *SERVERS}
    assert SERVED.keys() == {*stores, *SERVICES, *JOBS, *COMMANDS, "proxy"}


@each_service
def test_a_container_starts_with_settings_that_its_service_takes(name: str, secrets: Path) -> None:
    settings = SERVICES[name].read(environment(name, secrets, SERVED))
    role = name.partition("-")[0]
    assert SERVED[name]["command"] == [role]
    assert SERVED[name]["healthcheck"]["test"][3:] == [str(settings.listen_port), "/readyz"]
    log = KafkaAddress.parse(settings.log_at)
    assert log.brokers == tuple(f"{broker}:9092" for broker in BROKERS)
    assert (log.user, log.tls, log.mechanism) == ("luot", False, "SCRAM-SHA-512")
    if not isinstance(settings, IngestSettings):
        assert isinstance(settings, StoreSettings)
        store = Address.parse(settings.clickhouse_url.get_secret_value())
        assert store.hosts == tuple((server, 9000) for server in SERVERS)
        assert (store.user, store.cluster) == (f"luot_{role}", "luot")


@pytest.mark.parametrize("name", [*COMMANDS, "migrate"])
def test_commands_find_the_cluster_and_the_log(name: str, secrets: Path) -> None:
    settings = StoreSettings.read(environment(name, secrets, SERVED))
    store = Address.parse(settings.clickhouse_url.get_secret_value())
    assert (store.user, store.cluster) == ("luot", "luot")
    assert settings.log_at.startswith("kafka://luot:")


def test_all_of_them_have_the_same_partitions(secrets: Path) -> None:
    found = {
        Settings.read(environment(name, secrets, SERVED)).partitions
        for name in (*SERVICES, *COMMANDS, "migrate", "log-create")
    }
    assert found == {32}
    assert min(found) >= len([name for name in SERVICES if name.startswith("aggregator")])


def test_secrets_are_made_once_and_each_store_has_its_own(secrets: Path) -> None:
    given = {name: filled(value) for name, value in SERVED["setup"]["environment"].items()}
    assert made(secrets, **given) == ""
    files = {path: path.read_text("utf-8") for path in secrets.rglob("*") if path.is_file()}
    of = {path.stem: path.read_text("utf-8").strip() for path in (secrets / "passwords").iterdir()}
    kafka = "".join(text for path, text in files.items() if path.parent.name == "kafka")
    known = {name for name, password in of.items() if password in kafka}
    assert known == {"kafka", "kafka_brokers"}
    clickhouse = "".join(text for path, text in files.items() if "clickhouse/" in str(path))
    assert {name for name, password in of.items() if password in clickhouse} == {"cluster"}
    assert re.fullmatch(r"[\w-]{22}\n", (secrets / "kafka/cluster_id").read_text())
    assert not re.search(r"@\w+@", clickhouse.replace("@\n", ""))


def test_one_server_has_no_word_of_a_cluster(tmp_path: Path) -> None:
    given = {name: filled(value) for name, value in SERVED["setup"]["environment"].items()}
    made(tmp_path, **given)
    rights = tmp_path / "clickhouse/users.d/luot-rights.xml"
    assert "luot.hits_local" in rights.read_text("utf-8")
    made(tmp_path, PUBLIC_HOST=given["PUBLIC_HOST"])
    assert "luot.hits_local" not in rights.read_text("utf-8")
    assert list(tmp_path.glob("clickhouse/*/*cluster*")) == []


def test_each_container_sees_its_own_secrets_only() -> None:
    for name, container in SERVED.items():
        shown = [
            volume.partition(":")[0].removeprefix("./deploy/secrets")
            for volume in container.get("volumes", [])
            if volume.startswith("./deploy/secrets")
        ]
        role = re.sub(r"(-\d)+$", "", name)
        expected = {
            "setup": [""],
            "clickhouse": ["/clickhouse/config.d", "/clickhouse/users.d"],
            "zookeeper": [],
            **{job: ["/luot"] for job in ("log-create", "migrate", "backup", "verify")},
        }.get(role, [f"/{role}"])
        assert shown == expected, name


def test_the_servers_of_the_cluster_are_those_that_run() -> None:
    cluster = (DEPLOY / "clickhouse/cluster/config.d/luot-cluster.xml").read_text("utf-8")
    read = set(re.findall(r'from_env="(\w+)"', cluster))
    for shard in (1, 2):
        for replica in (1, 2):
            name = f"clickhouse-{shard}-{replica}"
            given = SERVED[name]["environment"]
            assert read <= given.keys()
            assert (given["SHARD"], given["REPLICA"]) == (f"shard-{shard}", name)
            assert given[f"SERVER_{shard}_{replica}"] == name
            assert [given[f"ZOOKEEPER_{number}"] for number in (1, 2, 3)] == ZOOKEEPERS


def test_brokers_and_zookeepers_know_each_other() -> None:
    for name in BROKERS:
        given = SERVED[name]["environment"]
        assert (given["NAME"], given["BROKERS"].split()) == (name, BROKERS)
    for name in ZOOKEEPERS:
        given = SERVED[name]["environment"]
        assert (given["NAME"], given["SERVERS"].split()) == (name, ZOOKEEPERS)


@pytest.mark.parametrize("store", ["kafka", "zookeeper"])
def test_a_store_is_given_what_its_scripts_read(store: str) -> None:
    text = "".join((DEPLOY / store / script).read_text("utf-8") for script in ("run", "ready"))
    without_default = set(re.findall(r"\$\{?([A-Z][A-Z_]+)(?!:-)\b", text))
    optional = set(re.findall(r"\$\{([A-Z_]+):-", text))
    given = SERVED[f"{store}-1"]["environment"].keys()
    assert {"NAME"} < without_default - optional <= given
    pods = (DEPLOY / f"kubernetes/stores/{store}.yaml").read_text("utf-8")
    assert without_default - optional <= set(re.findall(r"name: ([A-Z_]+)\b", pods))


def test_nothing_is_counted_before_all_brokers_and_servers_were_there() -> None:
    done = {"condition": "service_completed_successfully"}
    for name in SERVICES:
        after = SERVED[name]["depends_on"]
        assert after["log-create"] == done
        assert ("migrate" in after) == (not name.startswith("ingest"))
    waited = {name: set(SERVED[name]["depends_on"]) for name in ("log-create", "migrate")}
    assert waited == {"log-create": set(BROKERS), "migrate": set(SERVERS)}


def test_what_is_in_both_files_is_the_same() -> None:
    for name in ("redis", "proxy", "x-hardened", "x-service", "x-once", "x-health"):
        one, many = ((COMPOSE | CONTAINERS)[name], (FILE | SERVED)[name])
        assert one == many, name
    for name in ("ingest-1", "ingest-2", "api-1", "api-2"):
        for key in ("networks", "volumes"):
            assert CONTAINERS[name][key] == SERVED[name][key], name
        one, many = (from_[name]["environment"] for from_ in (CONTAINERS, SERVED))
        assert many.items() > one.items(), name
    for name in ("backup", "verify"):
        assert CONTAINERS[name]["command"] == SERVED[name]["command"]
    for network in COMPOSE["networks"].keys() - {"watch", "outside"}:
        assert COMPOSE["networks"][network] == FILE["networks"][network]


def test_every_image_has_a_fixed_version_and_is_that_of_the_other_file() -> None:
    images = {filled(container["image"]) for container in SERVED.values()}
    ours = {f"luot:{__version__}", f"luot-verify:{__version__}"}
    assert ours < images
    assert all(re.search(r":v?\d+\.\d+\.\d+[\w.-]*$", image) for image in images)
    named = dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", (ROOT / MANY).read_text("utf-8")))
    assert named.keys() == {
        *("PYTHON_IMAGE", "VALKEY_IMAGE", "CLICKHOUSE_IMAGE", "NGINX_IMAGE"),
        *("KAFKA_IMAGE", "ZOOKEEPER_IMAGE"),
    }
    assert dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", TEXT)).items() >= {
        (name, image)
        for name, image in named.items()
        if name not in ("KAFKA_IMAGE", "ZOOKEEPER_IMAGE")
    }


def test_every_container_is_hardened_and_limited() -> None:
    for name, container in SERVED.items():
        ours = "luot" in container["image"]
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container["pids_limit"] > 0, name
        assert "mem_limit" in container, name
        assert ours or "user" in container, name
        assert container.get("read_only") or name in SERVERS, name
    assert [name for name, container in SERVED.items() if "cap_add" in container] == ["setup"]


def test_what_always_runs_fits_the_machine_that_is_asked_for() -> None:
    sizes = [container["mem_limit"] for _, container in always_there(SERVED)]
    total = sum(int(size[:-1]) * UNITS[size[-1]] for size in sizes)
    said = re.search(r"many\.yml needed=16 limits=(\d+)", (DEPLOY / "check").read_text("utf-8"))
    assert said
    assert total // UNITS["g"] <= int(said[1]) < 14
    for name in BROKERS:
        heap = int(SERVED[name]["environment"]["HEAP"].removesuffix("m"))
        assert 2 * heap << 20 <= int(SERVED[name]["mem_limit"][:-1]) << 20


def test_checks_of_health_are_seldom_and_start_no_python() -> None:
    for name, container in always_there(SERVED):
        check = container["healthcheck"]
        if name == "backup":
            assert check == {"disable": True}
            continue
        assert check["interval"] == "60s", name
        assert not {"python", "java"} & set(check["test"]), name


def test_no_service_has_a_way_to_the_internet() -> None:
    assert all(FILE["networks"][name]["internal"] for name in ("log", "store", "quorum"))
    networks = {name: set(one.get("networks", ())) for name, one in SERVED.items()}
    assert {name for name, own in networks.items() if "quorum" in own} == {*ZOOKEEPERS, *SERVERS}
    for name in ("redis", *BROKERS, "log-create"):
        assert networks[name] == {"log"}
    # Hits are all that it is for.
    assert networks["ingest-1"] == {"log", "front"}
    published = [name for name, container in SERVED.items() if "ports" in container]
    assert published == ["proxy"]


def test_everything_that_is_mounted_exists_or_is_made() -> None:
    kept = set()
    for container in SERVED.values():
        for volume in container.get("volumes", []):
            source = filled(volume).partition(":")[0]
            if source.startswith("./") and source != "./deploy/acme":
                assert source.startswith("./deploy/secrets") or (ROOT / source).exists(), source
            elif not source.startswith((".", "/")):
                kept.add(source)
    assert kept == FILE["volumes"].keys()


def test_jobs_wait_for_all_brokers_and_servers() -> None:
    for job, variable, names in (
        ("log-create", "KAFKA_BROKERS", BROKERS),
        ("migrate", "CLICKHOUSE_SERVERS", SERVERS),
    ):
        assert SERVED[job]["environment"][variable].split() == names
        assert f"in $${variable};" in SERVED[job]["entrypoint"][2]


def test_each_of_many_has_a_disk_of_its_own() -> None:
    for place, names in (
        ("/var/lib/kafka/data", BROKERS),
        ("/data", ZOOKEEPERS),
        ("/var/lib/clickhouse", SERVERS),
        ("/var/lib/luot", ["ingest-1", "ingest-2"]),
    ):
        own = [
            volume.partition(":")[0]
            for name in names
            for volume in SERVED[name]["volumes"]
            if volume.endswith(f":{place}")
        ]
        assert len(set(own)) == len(names) == len(own), place


@pytest.mark.parametrize("script", ["kafka/run", "kafka/ready", "zookeeper/run", "zookeeper/ready"])
def test_the_shell_understands_the_scripts(script: str) -> None:
    path = DEPLOY / script
    assert os.access(path, os.X_OK)
    shell = path.read_text("utf-8").splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", path], check=True)


def test_a_broker_that_is_none_of_them_does_not_start(tmp_path: Path) -> None:
    for script, names in (("kafka/run", "BROKERS"), ("zookeeper/run", "SERVERS")):
        environ = {**os.environ, names: "one two three", "NAME": "four", "WORK": str(tmp_path)}
        done = subprocess.run([DEPLOY / script], capture_output=True, text=True, env=environ)
        assert done.returncode == 1
        assert done.stderr == f"NAME=four is none of {names}=one two three\n"


def test_the_image_has_what_the_jobs_are_written_in() -> None:
    assert "ENTRYPOINT" in DOCKERFILE
    for name in ("log-create", "migrate"):
        shell, flag, script = SERVED[name]["entrypoint"]
        assert (shell, flag) == ("bash", "-c")
        subprocess.run(["bash", "-n", "-c", script.replace("$$", "$")], check=True)
