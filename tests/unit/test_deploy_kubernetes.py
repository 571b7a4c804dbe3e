"""The manifests for Kubernetes: what kubectl makes of them is valid, hardened and fits."""

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from services import __version__
from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.cli.main import app
from services.cli.settings import ProbeSettings
from services.ingest.app import PATHS
from services.ingest.settings import IngestSettings
from services.metrics import CATALOGUE
from services.settings import Settings, StoreSettings
from tests.require import package
from tests.unit.kubernetes_files import (
    FOLDER,
    OVERLAYS,
    ROOT,
    container,
    environment,
    kustomized,
    mebibytes,
    objects,
    pod,
    pods,
    rendered,
    settings_of,
    the,
)

SERVICES: dict[str, type[Settings]] = {
    "ingest": IngestSettings,
    "aggregator": AggregatorSettings,
    "api": ApiSettings,
}
JOBS = ("migrate", "backup", "doctor")
STORES = ("kafka", "zookeeper", "clickhouse")
# Of the Prometheus operator: Kubernetes has no schema of them, the operator's own is in the test.
OPERATOR = "monitoring.coreos.com/v1"
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The files of the Secrets, as docs/kubernetes.md has them made."""
    for name, value in (
        ("redis_url", "rediss://ingest:secret@redis.example:6379/0"),
        ("clickhouse_url", "clickhouse://luot:secret@clickhouse.example:9000/luot"),
        ("admin_token", "0123456789abcdef0123"),
        ("log_url", "kafka://luot:secret@luot-kafka:9092/hits"),
    ):
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


@cache
def _validate() -> Any:
    validate = package("kubernetes_validate")
    # It reads all definitions of Kubernetes for each object.
    utils = package("kubernetes_validate.utils")
    vars(utils)["schema_contents"] = cache(utils.schema_contents)
    return validate


@each_overlay
def test_every_object_is_strictly_what_kubernetes_takes(overlay: str) -> None:
    validate = _validate()
    newest = validate.latest_version()
    checked = 0
    for one in objects(overlay):
        if one["apiVersion"] != OPERATOR:
            validate.validate(one, newest, strict=True)
            checked += 1
    assert checked > 20


def test_a_field_that_kubernetes_does_not_know_would_be_noticed() -> None:
    validate = _validate()
    wrong = the("small", "StatefulSet", "luot-ingest")
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, validate.latest_version(), strict=True)


@each_overlay
def test_every_pod_is_restricted_and_limited(overlay: str) -> None:
    [namespace] = objects(overlay, "Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    found = dict(pods(overlay))
    more = {"small": (), "production": ("probe",), "many": ("probe", "log", *STORES)}
    assert set(found) == {*SERVICES, *JOBS, "operator", *more[overlay]}
    for component, spec in pods(overlay):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        [only] = spec["containers"]
        assert component in STORES or only["image"] == f"luot:{__version__}"
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= only["resources"][kind].keys()


@each_overlay
@each_service
def test_a_pod_starts_with_settings_that_its_service_takes(
    overlay: str, name: str, secrets: Path
) -> None:
    given = environment(overlay, name, secrets)
    # In the image.
    settings = SERVICES[name].read({"LUOT_HOST": "0.0.0.0", **given})
    run = container(overlay, name)
    assert run["args"] == [name]
    assert run["ports"] == [{"name": "http", "containerPort": settings.listen_port}]
    [port] = the(overlay, "Service", f"luot-{name}")["spec"]["ports"]
    assert port == {"name": "http", "port": settings.listen_port, "targetPort": "http"}
    # What it may write is a volume.
    mounted = [Path(one["mountPath"]) for one in run["volumeMounts"]]
    if isinstance(settings, IngestSettings):
        for folder in (settings.spool, settings.salts):
            assert any(Path(folder or "").is_relative_to(one) for one in mounted)


@each_overlay
@pytest.mark.parametrize("name", JOBS)
def test_a_job_runs_a_command_that_there_is_with_its_settings(
    overlay: str, name: str, secrets: Path
) -> None:
    StoreSettings.read(environment(overlay, name, secrets))
    words = container(overlay, name)["args"]
    assert words[0] == name
    command: Any = typer.main.get_command(app)
    command.commands[name].make_context(name, words[1:])


@each_overlay
def test_the_pod_of_an_operator_is_started_by_hand_and_finds_stores_and_backups(
    overlay: str, secrets: Path
) -> None:
    StoreSettings.read(environment(overlay, "operator", secrets))
    operator = the(overlay, "CronJob", "luot-operator")["spec"]
    assert operator["suspend"] is True
    backup, own = (
        {one["name"]: one["mountPath"] for one in container(overlay, name)["volumeMounts"]}
        for name in ("backup", "operator")
    )
    assert own == backup
    assert pod(overlay, "operator")["volumes"] == pod(overlay, "backup")["volumes"]
    assert "args" not in container(overlay, "operator")


@each_overlay
@pytest.mark.parametrize("page", ["backup.md", "kubernetes.md"])
def test_commands_of_an_operator_are_typed_into_a_pod_that_there_is(
    overlay: str, page: str
) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    [block] = [
        block
        for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if "cronjob/luot-operator" in block
    ]
    cronjobs = set(re.findall(r"\bcronjob[ /](\S+)", block))
    assert "luot-operator" in cronjobs
    for name in cronjobs:
        the(overlay, "CronJob", name)
    for name in re.findall(r"\bdeployment/(\S+)", block):
        the(overlay, "Deployment", name)
    for line in re.findall(r"exec -it job/luot-operator -- luot (.+)$", block, re.MULTILINE):
        words = line.split()
        command: Any = typer.main.get_command(app)
        context = command.commands[words[0]].make_context(words[0], words[1:])
        if "folder" in context.params:
            places = [one["mountPath"] for one in container(overlay, "operator")["volumeMounts"]]
            assert str(context.params["folder"].parent) in places


def test_a_restore_on_kubernetes_stops_whatever_writes_and_starts_it_again() -> None:
    page = (ROOT / "docs/backup.md").read_text("utf-8").partition("\n## Restore\n")[2]
    before, _, after = page.partition("-- luot restore /backups/")
    scaled = [
        {
            name
            for line in re.findall(rf"scale (.+) --replicas={number}$", part, re.MULTILINE)
            for name in line.split()
        }
        for part, number in ((before, "0"), (after, "[1-9]"))
    ]
    assert scaled == [{"deployment/luot-aggregator", "deployment/luot-api"}] * 2
    suspended = [
        re.findall(r"patch cronjob (\S+) .*\"suspend\": (\w+)", part) for part in (before, after)
    ]
    assert suspended == [[("luot-backup", "true")], [("luot-backup", "false")]]


def test_the_job_that_migrates_is_a_new_one_for_each_version() -> None:
    [job] = objects("small", "Job")
    assert job["metadata"]["name"] == f"luot-migrate-{__version__}"


@each_overlay
@pytest.mark.parametrize("name", [*SERVICES, *JOBS, "operator"])
def test_a_pod_has_the_secrets_of_its_service_and_no_other(overlay: str, name: str) -> None:
    secret = name if name in SERVICES else "operator"
    named = [
        one["secret"]["secretName"] for one in pod(overlay, name)["volumes"] if "secret" in one
    ]
    assert named == [f"luot-{secret}"]
    page = (ROOT / "docs/kubernetes.md").read_text("utf-8")
    before, _, after = page.partition("## Many processes")
    page = after if overlay == "many" else before
    made = re.search(rf"create secret generic luot-{secret}((?: --from-file=\w+)+)", page)
    assert made
    keys = set(re.findall(r"--from-file=(\w+)", made[1]))
    given = {one["name"]: one["value"] for one in container(overlay, name)["env"]}
    given |= settings_of(overlay)["data"]
    read = {value.rpartition("/")[2] for key, value in given.items() if key.endswith("_FILE")}
    assert read == keys


@each_overlay
@each_service
def test_nothing_that_depends_on_a_store_restarts_a_service(overlay: str, name: str) -> None:
    # tests/integration/test_probes.py asks the services while Redis is away.
    run = container(overlay, name)
    paths = {kind: run[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/healthz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }


@each_overlay
@each_service
def test_a_stop_has_time_for_what_was_accepted(overlay: str, name: str) -> None:
    spec = pod(overlay, name)
    leaving = container(overlay, name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    # docs/upgrade.md: allow 30 seconds after the signal.
    assert spec["terminationGracePeriodSeconds"] >= leaving + 30


@each_overlay
def test_a_spool_comes_back_with_its_pod(overlay: str) -> None:
    ingest = the(overlay, "StatefulSet", "luot-ingest")["spec"]
    [claim] = ingest["volumeClaimTemplates"]
    mounts = {one["name"]: one["mountPath"] for one in container(overlay, "ingest")["volumeMounts"]}
    assert IngestSettings.read({"LUOT_SPOOL": "/var/lib/luot/spool"}).spool_bytes < 2 << 30
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert mounts[claim["metadata"]["name"]] == "/var/lib/luot"
    assert ingest["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"


@each_overlay
def test_browsers_reach_what_is_theirs_and_no_metrics(overlay: str) -> None:
    [ingress] = objects(overlay, "Ingress")
    [rule] = ingress["spec"]["rules"]
    to = {
        path["path"]: (path["pathType"], path["backend"]["service"]["name"])
        for path in rule["http"]["paths"]
    }
    nobody = dict.fromkeys(("/metrics", "/healthz", "/readyz"), ("Exact", "luot-nobody"))
    hits = dict.fromkeys(PATHS, ("Exact", "luot-ingest"))
    assert to == {**hits, **nobody, "/": ("Prefix", "luot-api")}
    assert "selector" not in the(overlay, "Service", "luot-nobody")["spec"]
    settings = settings_of(overlay)
    assert settings["data"]["LUOT_PUBLIC_URL"] == f"https://{rule['host']}"


@each_overlay
def test_every_pod_is_closed_but_for_what_it_needs(overlay: str) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in objects(overlay, "NetworkPolicy")}
    closed = policies["luot-nothing-else"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed
    assert "egress" not in closed
    [keys] = policies["luot-to-clickhouse"]["podSelector"]["matchExpressions"]
    assert keys["operator"] == "NotIn"
    more = ["log", *STORES] if overlay == "many" else []
    assert keys["values"] == ["ingest", "probe", *more]


def test_the_way_out_of_the_page_is_the_apis_and_leads_to_nothing_inside() -> None:
    page = (ROOT / "docs/deployment.md").read_text("utf-8")
    section = page.partition("\n## What the API must reach\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    [policy] = [yaml.safe_load(block) for block in blocks if "kind: NetworkPolicy" in block]
    validate = _validate()
    validate.validate(policy, validate.latest_version(), strict=True)
    labels = the("small", "Deployment", "luot-api")["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["policyTypes"] == ["Egress"]
    [namespace] = objects("small", "Namespace")
    assert policy["metadata"]["namespace"] == namespace["metadata"]["name"]
    _, anywhere = policy["spec"]["egress"]
    assert set(anywhere["to"][0]["ipBlock"]["except"]) == {
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    }
    # Names are resolved already.
    names = the("small", "NetworkPolicy", "luot-to-redis")["spec"]
    assert names["podSelector"] == {}
    assert {"port": 53, "protocol": "UDP"} in names["egress"][0]["ports"]


@each_overlay
@each_service
def test_what_is_requested_is_what_was_measured(overlay: str, name: str) -> None:
    page = (ROOT / "docs/performance.md").read_text("utf-8")
    row = re.search(
        rf"^\| memory of (?:the )?{name}\b.* \| (\d+) MB \| yes \|$",
        page,
        re.IGNORECASE | re.MULTILINE,
    )
    assert row
    resources = container(overlay, name)["resources"]
    requested, limit = (
        mebibytes(resources[kind]["memory"]) * (1 << 20) for kind in ("requests", "limits")
    )
    assert int(row[1]) * 1_000_000 < requested
    assert 1.5 * requested <= limit


def test_production_survives_the_loss_of_a_machine() -> None:
    for name in ("ingest", "api"):
        kind = {"ingest": "StatefulSet", "api": "Deployment"}[name]
        assert "replicas" not in the("production", kind, f"luot-{name}")["spec"]
        scaler = the("production", "HorizontalPodAutoscaler", f"luot-{name}")["spec"]
        assert scaler["minReplicas"] >= 3
    aggregators = the("production", "Deployment", "luot-aggregator")["spec"]["replicas"]
    assert 2 <= aggregators <= AggregatorSettings().partitions
    for name in SERVICES:
        assert (
            the("production", "PodDisruptionBudget", f"luot-{name}")["spec"]["maxUnavailable"] == 1
        )
        [machine, _] = pod("production", name)["topologySpreadConstraints"]
        assert machine["whenUnsatisfiable"] == "DoNotSchedule"


@pytest.mark.parametrize("overlay", ["production", "many"])
@each_service
def test_a_machine_that_takes_no_pods_keeps_none_pending(overlay: str, name: str) -> None:
    machine, zone = pod(overlay, name)["topologySpreadConstraints"]
    assert machine["topologyKey"] == "kubernetes.io/hostname"
    # Drained or lost, it would count as one that has none of them.
    assert (machine["whenUnsatisfiable"], machine["nodeTaintsPolicy"]) == ("DoNotSchedule", "Honor")
    assert zone["whenUnsatisfiable"] == "ScheduleAnyway"


@each_overlay
def test_an_upgrade_waits_for_everything_that_is_replaced(overlay: str) -> None:
    page = (ROOT / "docs/upgrade.md").read_text("utf-8").partition("\n## On Kubernetes\n")[2]
    waited = set(re.findall(r"^kubectl .*rollout status (\S+)$", page, re.MULTILINE))
    replaced = {
        f"{one['kind'].lower()}/{one['metadata']['name']}"
        for kind in ("StatefulSet", "Deployment")
        for one in objects(overlay, kind)
        if one["metadata"]["labels"]["app.kubernetes.io/component"] in SERVICES
    }
    assert waited == replaced


def test_the_operator_reads_the_metrics_of_every_service_once() -> None:
    [monitor] = objects("production", "ServiceMonitor")
    [(key, value)] = [
        (key, value)
        for key, value in monitor["spec"]["selector"]["matchLabels"].items()
        if key.startswith("luot/")
    ]
    chosen = [
        one["metadata"]["name"]
        for one in objects("production", "Service")
        if one["metadata"]["labels"].get(key) == value
    ]
    # The name of the Service is the job of its series.
    assert sorted(chosen) == sorted(f"luot-{name}" for name in (*SERVICES, "probe"))
    # Of a label that the operator adds too, ours is the one that rules ask for.
    ours = {label for spec in CATALOGUE for label in spec.labels}
    assert ours & {"service", "pod", "namespace", "endpoint", "container"}
    assert all(endpoint["honorLabels"] for endpoint in monitor["spec"]["endpoints"])


def test_the_probe_sends_to_the_public_address() -> None:
    [variable] = container("production", "probe")["env"]
    settings = settings_of("production")
    key = {"name": settings["metadata"]["name"], "key": "LUOT_PUBLIC_URL"}
    assert variable == {"name": "LUOT_URL", "valueFrom": {"configMapKeyRef": key}}
    assert ProbeSettings.read({"LUOT_URL": settings["data"]["LUOT_PUBLIC_URL"]}).listen_port == 8004


def test_the_overlay_of_the_page_changes_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs/kubernetes.md").read_text("utf-8")
    [example] = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shutil.copytree(FOLDER, tmp_path / "deploy/kubernetes")
    (tmp_path / "kustomization.yaml").write_text(example)
    made = [one for one in yaml.safe_load_all(kustomized(tmp_path)) if one]
    [ingress] = [one["spec"] for one in made if one["kind"] == "Ingress"]
    [settings] = [one for one in made if one["kind"] == "ConfigMap"]
    host = ingress["rules"][0]["host"]
    assert ingress["tls"][0]["hosts"] == [host]
    assert settings["data"]["LUOT_PUBLIC_URL"] == f"https://{host}"
    assert f"{settings['data']['LUOT_TRUSTED_PROXIES']}" in example
    of_ours = rendered("production")
    assert host not in of_ours
    images = set(re.findall(r"image: (\S+)", kustomized(tmp_path)))
    assert images == {f"registry.example/luot:{__version__}"}
    # The pods take the map that was merged, not the one before.
    maps = set(re.findall(r"name: (luot-settings-\w+)", kustomized(tmp_path)))
    assert maps == {settings["metadata"]["name"]}
