"""docker-compose.yml, the image and the scripts beside them fit the code and each other."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services import __version__
from services.aggregator.kernel.build import LIBRARY
from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.ingest.settings import IngestSettings
from services.settings import Settings, StoreSettings
from services.store.drivers.address import Address
from tests.attack.limits import UNITS, memory_limits
from tests.require import program
from tests.unit.compose_file import (
    COMPOSE,
    CONTAINERS,
    DEPLOY,
    DOCKERFILE,
    ROOT,
    TEXT,
    always_there,
    environment,
    filled,
    made,
)

SERVICES: dict[str, type[Settings]] = {
    "ingest-1": IngestSettings,
    "ingest-2": IngestSettings,
    "aggregator": AggregatorSettings,
    "api-1": ApiSettings,
    "api-2": ApiSettings,
}
# Of the image of Luot: those that serve, that run once, and that are started by hand.
OURS = {*SERVICES, "setup", "migrate", "luot", "backup", "verify", "probe"}
each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    made(folder)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@each_service
def test_a_container_starts_with_settings_that_its_service_takes(name: str, secrets: Path) -> None:
    settings = SERVICES[name].read(environment(name, secrets))
    port = settings.listen_port
    assert settings.host == "0.0.0.0"
    assert CONTAINERS[name]["command"] == [name.partition("-")[0]]
    assert CONTAINERS[name]["healthcheck"]["test"] == [
        *("CMD", "bash", "/deploy/ready", str(port), "/readyz")
    ]
    assert re.search(rf"^EXPOSE .*\b{port}\b", DOCKERFILE, re.MULTILINE)


def test_commands_of_an_operator_find_both_stores(secrets: Path) -> None:
    settings = StoreSettings.read(environment("luot", secrets))
    assert Address.parse(settings.clickhouse_url.get_secret_value()).user == "luot"
    assert settings.redis_url.startswith("redis://luot:")


def test_each_container_sees_its_own_secrets_only() -> None:
    for name, container in CONTAINERS.items():
        shown = [
            volume.partition(":")[0].removeprefix("./deploy/secrets")
            for volume in container.get("volumes", [])
            if volume.startswith("./deploy/secrets")
        ]
        role = dict.fromkeys(("migrate", "backup", "verify"), "luot").get(name, name.rstrip("-12"))
        expected = {
            "setup": [""],
            "clickhouse": ["/clickhouse/config.d", "/clickhouse/users.d"],
            "grafana": ["/monitoring"],
            "redis-exporter": ["/monitoring"],
        }.get(name, [f"/{role}"] if (name in OURS or "profiles" not in container) else [])
        assert shown == expected, name
        assert (name == "setup") or all(
            volume.endswith(":ro") for volume in container.get("volumes", []) if "secrets" in volume
        )


def test_secrets_are_made_once_and_fit_together(secrets: Path) -> None:
    before = contents(secrets)
    assert made(secrets) == ""
    assert contents(secrets) == before
    for role in ("aggregator", "api", "luot"):
        address = Address.parse(before[f"{role}/clickhouse_url"].strip())
        password = before[f"passwords/{role}"].strip()
        assert address.password == password
        assert address.hosts == (("clickhouse", 9000),)
        assert before[f"{role}/redis_url"] == f"redis://{role}:{password}@redis:6379/0\n"
    assert "ingest/clickhouse_url" not in before
    assert len({before[f"passwords/{role}"] for role in ("ingest", "api", "luot")}) == 3
    # Where only a digest is needed, there is nothing else; no name is left to be filled in.
    for name in ("redis/users.acl", "clickhouse/users.d/luot-accounts.xml"):
        assert not re.search(r"@\w+@", before[name].partition("<users>")[2] or before[name])
        assert not any(
            before[f"passwords/{one}"].strip() in before[name] for one in ("api", "luot")
        )
    # The containers have users of their own: they read the files, others cannot enter the folder.
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE((secrets / name).stat().st_mode) for name in before} == {0o444}


def test_own_files_of_the_server_stay_and_those_of_another_kind_of_it_go(tmp_path: Path) -> None:
    parts = [tmp_path / "clickhouse" / part for part in ("config.d", "users.d")]
    made(tmp_path, CLICKHOUSE_FILES="debian-12")
    for part in parts:
        (part / "own.xml").write_text("<clickhouse/>\n")
        (part / "luot-gone.xml").write_text("<clickhouse/>\n")
    assert (tmp_path / "clickhouse/users.d/luot-debian-12.xml").exists()
    made(tmp_path)
    found = {path.name for part in parts for path in part.iterdir()}
    assert {"own.xml", "luot-current.xml"} < found
    assert not found & {"luot-debian-12.xml", "luot-gone.xml"}
    shipped = {path.name for path in (DEPLOY / "clickhouse").glob("**/*.d/*.xml")}
    assert all(re.fullmatch(r"luot(-[\w-]+)?\.xml", name) for name in shipped)


def test_an_own_certificate_stays_and_a_made_one_follows_the_name(tmp_path: Path) -> None:
    def subject() -> str:
        command = ["openssl", "x509", "-noout", "-subject", "-in", str(certificate)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout

    certificate = tmp_path / "proxy/fullchain.pem"
    made(tmp_path)
    assert "localhost" in subject()
    made(tmp_path, PUBLIC_HOST="thongke.example.vn")
    assert "thongke.example.vn" in subject()
    assert (tmp_path / "proxy/server_name.conf").read_text() == "server_name thongke.example.vn;\n"

    certificate.unlink()
    request = "req -x509 -newkey rsa:2048 -nodes -subj /CN=own -keyout /dev/null -out"
    subprocess.run(["openssl", *request.split(), certificate], check=True, capture_output=True)
    made(tmp_path, PUBLIC_HOST="dem.example.vn")
    assert "own" in subject()


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        made(tmp_path, PUBLIC_HOST="a.vn; return 200")
    assert "is not a host name" in failed.value.stderr


def test_the_token_of_an_older_version_stays(tmp_path: Path) -> None:
    (tmp_path / "admin_token").write_text("a-token-of-long-ago\n")
    made(tmp_path)
    assert (tmp_path / "api/admin_token").read_text() == "a-token-of-long-ago\n"


def test_every_image_has_a_fixed_version() -> None:
    images = [filled(container["image"]) for container in CONTAINERS.values()]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    pythons = set(re.findall(r"PYTHON_IMAGE(?:=|: \$\{PYTHON_IMAGE:-)([^\s}]+)", DOCKERFILE + TEXT))
    assert len(pythons) == 1
    assert images.count(f"luot:{__version__}") == len(OURS - {"verify"})
    assert images.count(f"luot-verify:{__version__}") == 1
    floating = [
        one for one in {*images, *pythons} if not re.search(r":v?\d+\.\d+\.\d+[\w.-]*$", one)
    ]
    assert floating == []


def test_an_image_without_the_fold_in_c_is_not_built() -> None:
    # Isolated: the sources beside it have been compiled, too.
    found = re.search(r'&& /opt/luot/bin/python -I -c "(.+)"$', DOCKERFILE, re.MULTILINE)
    assert found is not None
    done = subprocess.run(
        [sys.executable, "-c", found[1]], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode == 0) == LIBRARY.exists(), done.stderr


def test_the_image_says_what_it_is() -> None:
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=\"(.*)\"", DOCKERFILE))
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    assert (labels["source"], labels["revision"]) == ("${SOURCE}", "${REVISION}")


def test_everything_that_is_mounted_exists_or_is_made() -> None:
    for container in CONTAINERS.values():
        for volume in container.get("volumes", []):
            source = filled(volume).partition(":")[0]
            if source.startswith("./") and source != "./deploy/acme":
                made_at_start = source.startswith("./deploy/secrets")
                assert made_at_start or (ROOT / source).exists(), source
            elif not source.startswith((".", "/")):
                assert source in COMPOSE["volumes"]


def test_only_the_proxy_is_published_to_others() -> None:
    published = {
        name: [filled(port) for port in container["ports"]]
        for name, container in CONTAINERS.items()
        if "ports" in container
    }
    assert published.pop("proxy") == ["0.0.0.0:80:8080", "0.0.0.0:443:8443"]
    others = [port for ports in published.values() for port in ports]
    assert all(port.startswith("127.0.0.1:") for port in others)


def test_every_container_is_hardened_and_limited() -> None:
    for name, container in CONTAINERS.items():
        # The exporter of the machine looks at the machine.
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container["pids_limit"] > 0, name
        assert "mem_limit" in container, name
        assert name in OURS or "user" in container, name
        assert container.get("read_only") or name == "clickhouse", name
    assert re.search(r"^USER 1000", DOCKERFILE, re.MULTILINE)
    assert [name for name, container in CONTAINERS.items() if "cap_add" in container] == ["setup"]


def test_what_always_runs_fits_two_gigabytes() -> None:
    limits = memory_limits()
    total = sum(limits[name.removesuffix("-1")] for name, _ in always_there())
    assert total <= 2 * UNITS["g"]


def test_checks_of_health_are_seldom_and_start_no_python() -> None:
    for name, container in always_there():
        check = container["healthcheck"]
        if name == "backup":
            # Its age is in the metrics, with alerts.
            assert check == {"disable": True}
            continue
        assert check["interval"] == "60s", name
        assert "python" not in " ".join(check["test"]), name


def test_the_image_is_given_the_files_it_copies() -> None:
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sorted(let_through) == sorted(copied)
    assert all((ROOT / source).exists() for source in copied)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_service_has_a_way_to_the_internet() -> None:
    networks = COMPOSE["networks"]
    assert networks["log"]["internal"] is True
    assert networks["store"]["internal"] is True
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert networks["front"]["driver_opts"] == {masquerade: "false"}
    for name in ("redis", "clickhouse", "proxy", *SERVICES, "migrate", "luot", "backup", "verify"):
        assert set(CONTAINERS[name]["networks"]) <= {"log", "store", "front"}
    assert set(CONTAINERS["redis"]["networks"]) == {"log"}
    assert set(CONTAINERS["clickhouse"]["networks"]) == {"store"}
    # Hits are all that it is for.
    assert "store" not in CONTAINERS["ingest-1"]["networks"]


@pytest.mark.parametrize(
    "script", ["make-secrets", "upgrade", "certificate", "check", "compose.sh", "nginx/compose/run"]
)
def test_the_shell_understands_the_scripts(script: str) -> None:
    assert os.access(DEPLOY / script, os.X_OK) == (script != "compose.sh")
    subprocess.run([program("sh"), "-n", DEPLOY / script], check=True)
