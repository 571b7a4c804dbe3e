"""The overlay of many processes: its stores know each other, and nobody else reaches them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import typer
import yaml

from services import __version__
from services.aggregator.settings import AggregatorSettings
from services.cli.main import app
from services.log.kafka.address import KafkaAddress
from services.settings import Settings
from services.store.drivers.address import Address
from tests.unit.compose_file import MANY, filled, made
from tests.unit.kubernetes_files import (
    ROOT,
    container,
    environment,
    kustomized,
    objects,
    pod,
    pods,
    settings_of,
    the,
)

STORES = ("kafka", "zookeeper", "clickhouse")
PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8").partition("## Many processes")[2]
SERVERS = [
    f"luot-clickhouse-{shard}-{pod}.luot-clickhouse-{shard}" for shard in (1, 2) for pod in (0, 1)
]


def given(one: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a StatefulSet's container, without what a pod fills in."""
    [run] = one["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in run["env"] if "value" in each}


def names(stateful: dict[str, Any]) -> list[str]:
    """Return the names by which the pods of a StatefulSet are found."""
    name, spec = stateful["metadata"]["name"], stateful["spec"]
    return [f"{name}-{number}.{spec['serviceName']}" for number in range(spec["replicas"])]


def stateful(name: str) -> dict[str, Any]:
    return the("many", "StatefulSet", name)


def test_there_are_as_many_of_each_as_is_said() -> None:
    found = {
        one["metadata"]["name"]: one["spec"]["replicas"]
        for kind in ("StatefulSet", "Deployment")
        for one in objects("many", kind)
    }
    assert found == {
        "luot-kafka": 3,
        "luot-zookeeper": 3,
        "luot-clickhouse-1": 2,
        "luot-clickhouse-2": 2,
        "luot-ingest": 2,
        "luot-aggregator": 3,
        "luot-api": 2,
        "luot-probe": 1,
    }
    settings = settings_of("many")["data"]
    assert AggregatorSettings().partitions < int(settings["LUOT_PARTITIONS"]) == 32


def test_the_stores_are_those_of_the_compose_file() -> None:
    of_compose = {
        filled(one["image"])
        for one in yaml.safe_load((ROOT / MANY).read_text())["services"].values()
    }
    for component, spec in pods("many"):
        if component in STORES:
            assert spec["containers"][0]["image"] in of_compose, component


def test_the_stores_know_each_other_by_the_names_that_they_have() -> None:
    kafka, zookeeper = stateful("luot-kafka"), stateful("luot-zookeeper")
    assert given(kafka)["BROKERS"].split() == names(kafka)
    assert given(kafka)["NAME"] == "$(POD).luot-kafka-pods"
    assert given(zookeeper)["SERVERS"].split() == names(zookeeper)
    assert given(zookeeper)["NAME"] == "$(POD).luot-zookeeper"
    found = []
    for shard in (1, 2):
        clickhouse = stateful(f"luot-clickhouse-{shard}")
        own = given(clickhouse)
        found += names(clickhouse)
        assert own["SHARD"] == f"shard-{shard}"
        assert own["REPLICA"] == f"$(POD).luot-clickhouse-{shard}"
        assert [own[f"SERVER_{one}_{other}"] for one in (1, 2) for other in (1, 2)] == SERVERS
        assert [own[f"ZOOKEEPER_{number}"] for number in (1, 2, 3)] == names(zookeeper)
    assert found == SERVERS


def test_pods_find_each_other_before_they_are_ready() -> None:
    for one in objects("many", "StatefulSet"):
        service = the("many", "Service", one["spec"]["serviceName"])["spec"]
        assert service["clusterIP"] == "None"
        assert service["publishNotReadyAddresses"] is True
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert service["selector"].items() <= labels.items()
    # Luot asks only such brokers first as were ready: they know of all three then.
    assert "publishNotReadyAddresses" not in the("many", "Service", "luot-kafka")["spec"]
    assert container("many", "kafka")["readinessProbe"]["exec"]["command"][1] == "/etc/luot/ready"


def test_every_file_that_a_store_needs_is_mounted() -> None:
    maps = {one["metadata"]["name"]: one["data"] for one in objects("many", "ConfigMap")}

    def shipped(folder: str, *kinds: str) -> dict[str, str]:
        where = ROOT / "deploy" / folder
        files = [path for kind in kinds for path in where.glob(kind) if path.is_file()]
        return {path.name: path.read_text("utf-8") for path in files}

    for component, folder in (("kafka", "kafka"), ("zookeeper", "zookeeper")):
        volumes = {one["name"]: one for one in pod("many", component)["volumes"]}
        files = shipped(folder, "*")
        del files["kustomization.yaml"]
        assert maps[volumes["files"]["configMap"]["name"]] == files
    for volume, part, of_secret in (
        ("config", "config.d", "luot-cluster-secret.xml"),
        ("users", "users.d", "luot-accounts.xml"),
    ):
        volumes = {one["name"]: one for one in pod("many", "clickhouse")["volumes"]}
        config, secret = volumes[volume]["projected"]["sources"]
        kinds = (f"{kind}{part}/*.xml" for kind in ("", "current/", "compose/", "cluster/"))
        assert maps[config["configMap"]["name"]] == shipped("clickhouse", *kinds)
        assert [item["key"] for item in secret["secret"]["items"]] == [of_secret]


def test_no_two_that_replace_each_other_are_on_one_machine() -> None:
    for one in objects("many", "StatefulSet"):
        spec = one["spec"]
        labels = spec["template"]["metadata"]["labels"]
        machine = spec["template"]["spec"]["topologySpreadConstraints"][0]
        assert machine["topologyKey"] == "kubernetes.io/hostname"
        assert machine["whenUnsatisfiable"] == "DoNotSchedule"
        assert machine["labelSelector"] == spec["selector"]
        if labels["app.kubernetes.io/component"] in STORES:
            # Without it, a second one goes where one is as soon as each machine has one.
            assert machine["minDomains"] == spec["replicas"]
        [budget] = [
            each["spec"]
            for each in objects("many", "PodDisruptionBudget")
            if each["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ]
        assert budget["maxUnavailable"] == 1
        assert spec["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"


def policies() -> dict[str, Any]:
    return {one["metadata"]["name"]: one["spec"] for one in objects("many", "NetworkPolicy")}


def components(selector: dict[str, Any]) -> set[str]:
    """Return the components that a selector of pods chooses."""
    key = "app.kubernetes.io/component"
    every = dict(pods("many")).keys()
    if "matchLabels" in selector:
        return {selector["matchLabels"][key]}
    if "matchExpressions" not in selector:
        return set(every)
    [wanted] = selector["matchExpressions"]
    assert wanted["key"] == key
    chosen = set(wanted["values"])
    assert chosen <= every, "a component that there is"
    return chosen if wanted["operator"] == "In" else every - chosen


def ways(direction: str, end: str) -> set[tuple[str, str, int]]:
    """Return who may reach which port of the stores, as one of both sides allows it."""
    found = set()
    for spec in policies().values():
        own = components(spec["podSelector"])
        for rule in spec.get(direction, ()):
            for other in rule.get(end, ()):
                if "podSelector" not in other:
                    continue
                for peer in components(other["podSelector"]):
                    for port in rule["ports"]:
                        found |= {
                            (me, peer, port["port"])
                            if direction == "egress"
                            else (peer, me, port["port"])
                            for me in own
                        }
    return {(who, whom, port) for who, whom, port in found if whom in STORES}


def test_both_sides_of_each_way_to_a_store_are_open_and_no_other() -> None:
    out, into = ways("egress", "to"), ways("ingress", "from")
    assert out == into
    clients = {(who, whom) for who, whom, _ in out if who not in STORES}
    of_log = {"ingest", "aggregator", "api", "backup", "doctor", "operator", "log"}
    of_store = {"aggregator", "api", "migrate", "backup", "doctor", "operator"}
    assert clients == {(who, "kafka") for who in of_log} | {(who, "clickhouse") for who in of_store}
    assert {(who, whom) for who, whom, _ in out if who in STORES} == {
        *((store, store) for store in STORES),
        ("clickhouse", "zookeeper"),
    }
    ports = {
        component: {port["containerPort"] for port in container("many", component)["ports"]}
        for component in STORES
    }
    assert all(port in ports[whom] for _, whom, port in out)


def test_the_secrets_of_the_page_are_those_that_are_mounted(tmp_path: Path) -> None:
    [line] = re.findall(r"^(.+) deploy/make-secrets /root/luot-secrets$", PAGE, re.MULTILINE)
    hosts = dict(word.split("=", 1) for word in shlex.split(line))
    made(tmp_path, **hosts)
    for role in ("ingest", "aggregator", "api", "luot"):
        log = KafkaAddress.parse((tmp_path / role / "log_url").read_text().strip())
        assert log.brokers == ("luot-kafka:9092",)
        assert f"@{hosts['REDIS_HOST']}/0" in (tmp_path / role / "redis_url").read_text()
        if role != "ingest":
            store = Address.parse((tmp_path / role / "clickhouse_url").read_text().strip())
            assert store.hosts == tuple((server, 9000) for server in SERVERS)
            assert store.cluster == "luot"
    given = {}
    commands = re.findall(r"^cd (\S+) && .* generic luot-(\w+) (.*)$", PAGE, re.MULTILINE)
    for folder, secret, options in commands:
        files = [word.removeprefix("--from-file=") for word in options.split()]
        assert all((tmp_path / Path(folder).name / file).is_file() for file in files), secret
        given[secret] = {Path(file).name for file in files}
    assert given.keys() == {"ingest", "aggregator", "api", "operator", "kafka", "clickhouse"}
    assert given["clickhouse"] == {
        item["key"]
        for volume in pod("many", "clickhouse")["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        for item in source.get("secret", {}).get("items", ())
    }
    script = (ROOT / "deploy/kafka/run").read_text("utf-8")
    assert given["kafka"] == set(re.findall(r"\$secrets/(\w[\w.]*)", script))


def test_the_topics_are_made_by_a_job_of_this_version(tmp_path: Path) -> None:
    the("many", "Job", f"luot-log-create-{__version__}")
    for name in ("redis_url", "log_url"):
        (tmp_path / name).write_text("kafka://luot:secret@luot-kafka:9092/hits\n")
    (tmp_path / "redis_url").write_text("redis://luot:secret@redis.example:6379/0\n")
    assert Settings.read(environment("many", "log", tmp_path)).log_at.startswith("kafka://")
    words = container("many", "log")["args"]
    command: Any = typer.main.get_command(app)
    command.commands[words[0]].commands[words[1]].make_context(words[1], words[2:])


def test_the_stores_of_others_take_the_place_of_ours(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    overlay = tmp_path / "deploy/kubernetes/overlays/many"
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text().replace("  - ../../stores\n", ""))
    left = [one for one in yaml.safe_load_all(kustomized(overlay)) if one]
    names = {one["metadata"]["name"] for one in left if one["kind"] == "StatefulSet"}
    assert names == {"luot-ingest"}


def test_what_starts_a_server_is_understood_by_the_shell() -> None:
    shell, flag, script = container("many", "clickhouse")["command"]
    assert (shell, flag) == ("bash", "-c")
    subprocess.run(["bash", "-n", "-c", script], check=True)
