"""deploy/check finds what a machine lacks; deploy/certificate takes no wrong pair of files."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.require import program

ROOT = Path(__file__).parents[2]

DOCKER = """#!/bin/sh
case "$*" in
    "version --format {{.Server.Version}}") echo "$TEST_DOCKER" ;;
    "compose version") [ -n "$TEST_COMPOSE" ] ;;
    "compose version --short") echo "$TEST_COMPOSE" ;;
    "info --format {{.DockerRootDir}}") echo / ;;
    "compose ps -q "*) ;;
    *) exit 1 ;;
esac
"""
TIMEDATECTL = """#!/bin/sh
echo "$TEST_CLOCK"
"""


class Machine(NamedTuple):
    """A checkout, and what the machine below it says of itself."""

    folder: Path
    environ: dict[str, str]

    @property
    def proc(self) -> Path:
        return self.folder / "proc"

    def check(self, **environ: str) -> tuple[int, str]:
        """Run deploy/check; return its status and what it says."""
        done = subprocess.run(
            [self.folder / "deploy/check"],
            capture_output=True,
            text=True,
            env={**self.environ, **environ},
        )
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs = tmp_path / "bin"
    for name, text in (("docker", DOCKER), ("timedatectl", TIMEDATECTL)):
        programs.mkdir(exist_ok=True)
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "deploy").mkdir()
    for name in ("check", "compose.sh", "certificate"):
        shutil.copy2(ROOT / "deploy" / name, tmp_path / "deploy")
    for path in (tmp_path / "deploy").iterdir():
        path.chmod(path.stat().st_mode | 0o044)
    (tmp_path / ".env").write_text("PUBLIC_HOST=thongke.example.vn\n")
    head = "  sl  local_address rem_address   st\n"
    for name, text in {
        "meminfo": "MemTotal:        4000000 kB\nMemAvailable:    3000000 kB\n",
        "swaps": "Filename\n/swap\n",
        "sys/vm/overcommit_memory": "1\n",
        "sys/fs/nr_open": "1048576\n",
        "net/tcp": head,
        "net/tcp6": head,
        "net/route": "Iface\tDestination\tGateway\neth0\t00000000\t010011AC\n",
    }.items():
        path = tmp_path / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environ = {key: value for key, value in os.environ.items() if "_PORT" not in key}
    environ |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CHECK_PROC": str(tmp_path / "proc"),
        "TEST_DOCKER": "28.0.1",
        "TEST_COMPOSE": "v2.30.0",
        "TEST_CLOCK": "yes",
    }
    return Machine(tmp_path, environ)


def test_nothing_is_wrong_with_a_good_machine(machine: Machine) -> None:
    status, said = machine.check()
    assert status == 0, said
    assert {line[0] for line in said.splitlines()} == {"✓"}, said
    assert "https://thongke.example.vn" in said


@pytest.mark.parametrize(
    ("file", "text", "mark", "expected"),
    [
        ("meminfo", "MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n", "✗", "976 MB of memory"),
        ("meminfo", "MemTotal: 4000000 kB\nMemAvailable: 900000 kB\n", "!", "see what else runs"),
        ("sys/vm/overcommit_memory", "0\n", "!", "vm.overcommit_memory=1 >/etc/sysctl.d"),
        ("sys/fs/nr_open", "20000\n", "✗", "NOFILE=20000 in .env"),
        ("net/tcp", "0: 00000000:0050 00000000:0000 0A\n", "✗", "port 80 is already in use"),
        ("net/tcp", "0: 00000000:0050 00000000:0000 0A\n", "✗", "HTTP_PORT=127.0.0.1:8080 in"),
        ("net/tcp6", "0: 00000000000000:01BB 0000:0000 0A\n", "✗", "HTTPS_PORT=127.0.0.1:8443"),
        ("net/route", "Iface\nbr0\t004F530A\t0\n", "✗", "FRONT_NETWORK in .env"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    machine: Machine, file: str, text: str, mark: str, expected: str
) -> None:
    (machine.proc / file).write_text(text)
    status, said = machine.check()
    assert status == (mark == "✗"), said
    (found,) = [one for one in said.split("\n") if one.startswith(mark)]
    assert expected in said[said.index(found) :]


@pytest.mark.parametrize(
    ("environ", "status", "expected"),
    [
        ({"TEST_DOCKER": ""}, 1, "install docker.io"),
        ({"TEST_DOCKER": "19.03.1"}, 1, "20.10 or newer is needed"),
        ({"TEST_COMPOSE": "1.25.0"}, 1, "1.29 or newer is needed"),
        ({"TEST_CLOCK": "no"}, 0, "timedatectl set-ntp true"),
        ({"TEST_CLOCK": "no"}, 0, "! the clock is not synchronised"),
        ({"TEST_CLOCK": ""}, 0, "! cannot tell whether the clock is synchronised"),
        ({"PUBLIC_HOST": "localhost"}, 0, "echo PUBLIC_HOST="),
    ],
)
def test_versions_clock_and_name_are_looked_at(
    machine: Machine, environ: dict[str, str], status: int, expected: str
) -> None:
    found, said = machine.check(**environ)
    assert found == status, said
    assert expected in said


@pytest.mark.parametrize("closed", ["redis/redis.conf", "monitoring/rules/", "ready"])
def test_files_that_the_containers_cannot_read_are_found_and_the_advice_opens_them(
    machine: Machine, closed: str
) -> None:
    deploy = machine.folder / "deploy"
    path = deploy / closed
    path.parent.mkdir(parents=True, exist_ok=True)
    # As under a umask of 027.
    if closed.endswith("/"):
        path.mkdir()
        path.chmod(0o750)
    else:
        path.touch()
        path.chmod(0o640)
    # It is another user's, and the folder around it is closed.
    secrets = deploy / "secrets/redis"
    secrets.mkdir(parents=True)
    secrets.parent.chmod(0o700)
    status, said = machine.check()
    assert status == 1, said
    assert f"✗ the containers cannot read deploy/{closed.rstrip('/')}\n" in said
    [advice] = re.findall(r": (umask 022 && find .+)$", said, re.MULTILINE)
    subprocess.run(["sh", "-c", advice], cwd=machine.folder, check=True)
    status, said = machine.check()
    assert status == 0, said
    assert secrets.parent.stat().st_mode & 0o077 == 0


def test_ports_that_were_chosen_are_the_ones_looked_at(machine: Machine) -> None:
    (machine.proc / "net/tcp").write_text("0: 00000000:0050 00000000:0000 0A\n")
    (machine.folder / ".env").write_text("PUBLIC_HOST=a.vn\nHTTP_PORT=127.0.0.1:8080\n")
    status, said = machine.check()
    assert (status, "port 8080 is free" in said) == (0, True), said
    (machine.proc / "net/tcp").write_text("0: 00000000:1F90 00000000:0000 0A\n")
    status, said = machine.check()
    assert (status, "port 8080 is already in use" in said) == (1, True), said
    assert "HTTP_PORT=127.0.0.1:18080 in .env" in said


def pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    request = f"req -x509 -newkey rsa:2048 -nodes -subj /CN={name} -keyout {key} -out"
    openssl = program("openssl")
    subprocess.run([openssl, *request.split(), certificate], check=True, capture_output=True)
    return certificate, key


def test_a_certificate_is_taken_with_its_key_only(machine: Machine) -> None:
    (certificate, key), (_, other) = pair(machine.folder, "a"), pair(machine.folder, "b")

    def give(*files: Path) -> "subprocess.CompletedProcess[str]":
        command = [machine.folder / "deploy/certificate", *files]
        return subprocess.run(command, capture_output=True, text=True, env=machine.environ)

    refused = give(certificate, other)
    assert refused.returncode == 1
    assert "is not the key of" in refused.stderr
    placed = machine.folder / "deploy/secrets/proxy"
    assert not placed.exists()

    taken = give(certificate, key)
    assert taken.returncode == 0, taken.stderr
    assert "CN = a" in taken.stdout
    assert (placed / "fullchain.pem").read_bytes() == certificate.read_bytes()
    assert (placed / "privkey.pem").read_bytes() == key.read_bytes()


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("docs/deployment.md", r"^(?:sudo )?(certbot certonly .+)$"),
        ("deploy/certificate", r"^#   (certbot certonly .+(?:\\\n.+)+)$"),
    ],
)
def test_certbot_finds_the_script_again_at_a_renewal(
    machine: Machine, file: str, pattern: str
) -> None:
    [shown] = re.findall(pattern, (ROOT / file).read_text("utf-8"), re.MULTILINE)
    command = shown.replace("\n#", "\n")
    stub = machine.folder / "bin/certbot"
    stub.write_text('#!/bin/sh\nfor last; do :; done\nprintf %s "$last"\n')
    stub.chmod(0o755)
    hook = subprocess.run(
        ["sh", "-c", command],
        cwd=machine.folder,
        env=machine.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # certbot looks for the first word of it, quotes and all, before it runs the whole in a shell.
    assert Path(hook.split(None, 1)[0]) == machine.folder / "deploy/certificate"
    certificate, key = pair(machine.folder, "a")
    lineage = machine.folder / "live"
    lineage.mkdir()
    shutil.copy(certificate, lineage / "fullchain.pem")
    shutil.copy(key, lineage / "privkey.pem")
    environ = {**machine.environ, "RENEWED_LINEAGE": str(lineage)}
    subprocess.run(["sh", "-c", hook], cwd="/", env=environ, check=True, capture_output=True)
    placed = machine.folder / "deploy/secrets/proxy"
    assert (placed / "fullchain.pem").read_bytes() == certificate.read_bytes()


@pytest.mark.parametrize("more", ["", ":docker-compose.override.yml"])
def test_many_processes_need_a_larger_machine(machine: Machine, more: str) -> None:
    (machine.folder / ".env").write_text(f"COMPOSE_FILE=docker-compose.many.yml{more}\n")
    status, said = machine.check()
    assert status == 1
    assert "16 GB are needed; the limits of docker-compose.many.yml add up to 13 GB" in said


UPGRADED = """#!/bin/sh
case "$*" in
    "inspect -f {{.State.StartedAt}} "*) date -u -d "$TEST_STARTED" +%Y-%m-%dT%H:%M:%S.123456789Z ;;
    "compose exec -T "*" find "*)
        # What a container has below / is below a folder of the test.
        service=$4
        shift 5
        for word; do
            shift
            case $word in /*) word=$TEST_FILES/$service$word ;; esac
            set -- "$@" "$word"
        done
        find "$@"
        ;;
    "compose up -d --no-deps --force-recreate "*)
        echo "${*##* }" >>"$TEST_UPGRADED"
        echo "${*##* }" >>"$TEST_FILES/recreated"
        ;;
    "compose version") ;;
    "compose config --services") tr ' ' '\\n' <"$TEST_SERVICES" ;;
    "compose up -d --no-deps "*) echo "${*##* }" >>"$TEST_UPGRADED" ;;
    "compose ps -q "*) grep -c "^${*##* }\\$" "$TEST_UPGRADED" || true ;;
esac
"""


def upgraded(machine: Machine, file: str, started: str = "now") -> list[str]:
    """Run deploy/upgrade; return the services in the order in which they are brought up.

    Their containers run since then. What they read is in the folder `files`, each in its own.
    """
    shutil.copy2(ROOT / "deploy/upgrade", machine.folder / "deploy")
    programs = machine.folder / "bin"
    (programs / "docker").write_text(UPGRADED)
    (programs / "sleep").write_text("#!/bin/sh\n")
    (programs / "sleep").chmod(0o755)
    containers = yaml.safe_load((ROOT / file).read_text("utf-8"))["services"]
    always = [name for name, one in containers.items() if "profiles" not in one]
    names, brought_up = machine.folder / "names", machine.folder / "upgraded"
    names.write_text(" ".join(always))
    brought_up.touch()
    (machine.folder / "files").mkdir(exist_ok=True)
    environ = {
        "TEST_SERVICES": str(names),
        "TEST_UPGRADED": str(brought_up),
        "TEST_FILES": str(machine.folder / "files"),
        "TEST_STARTED": started,
    }
    done = subprocess.run(
        [machine.folder / "deploy/upgrade"],
        capture_output=True,
        text=True,
        env={**machine.environ, **environ},
    )
    assert done.returncode == 0, done.stderr
    return brought_up.read_text().split()


@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.many.yml"])
def test_an_upgrade_replaces_the_stores_then_the_services_one_after_the_other(
    machine: Machine, file: str
) -> None:
    found = upgraded(machine, file)
    containers = yaml.safe_load((ROOT / file).read_text("utf-8"))["services"]
    always = [name for name, one in containers.items() if "profiles" not in one]
    kinds = [re.sub(r"(-\d)+$", "", name) for name in found]
    stores = ["redis", "zookeeper", "clickhouse", "kafka"]
    order = [*stores, "ingest", "api", "aggregator", "backup", "proxy"]
    assert kinds == sorted(kinds, key=order.index)
    jobs = {"setup", "migrate", "log-create"}
    assert sorted(found) == sorted(set(always) - jobs)


READ_AT_START = {
    "docker-compose.yml": {
        "redis": ["etc/luot/redis.conf", "run/luot/users.acl"],
        "clickhouse": ["etc/clickhouse-server/config.d/luot.xml"],
        "api-2": ["run/luot/redis_url"],
    },
    "docker-compose.many.yml": {
        "redis": ["run/luot/users.acl"],
        "zookeeper-2": ["etc/luot/zoo.cfg"],
        "clickhouse-1-2": ["etc/clickhouse-server/config.d/luot-replicas.xml"],
        "kafka-3": ["etc/luot/broker.properties", "run/luot/brokers.properties"],
    },
}


@pytest.mark.parametrize("file", READ_AT_START)
def test_an_upgrade_replaces_once_what_runs_with_files_that_changed(
    machine: Machine, file: str
) -> None:
    for service, names in READ_AT_START[file].items():
        for name in names:
            path = machine.folder / "files" / service / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            # As unpacking leaves it.
            os.utime(path, (0, 0))
    # What Redis does not read, and what the servers of ClickHouse read again by themselves.
    for name in ("redis/etc/luot/users.acl", "clickhouse/etc/clickhouse-server/users.d/luot.xml"):
        path = machine.folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    recreated = machine.folder / "files/recreated"
    again = upgraded(machine, file, started="1 hour ago")
    assert sorted(recreated.read_text().split()) == sorted(READ_AT_START[file])
    assert len(again) == len(set(again)), "each is brought up once"

    recreated.write_text("")
    upgraded(machine, file, started="1 minute")
    assert recreated.read_text() == ""


def test_an_upgrade_looks_at_files_that_are_mounted() -> None:
    script = (ROOT / "deploy/upgrade").read_text("utf-8")
    read = script.partition("read_at_start() {")[2].partition("\n}")[0]
    files = re.findall(r" (/[\w./-]+)", read)
    assert len(files) > 8
    services = [
        one
        for file in READ_AT_START
        for one in yaml.safe_load((ROOT / file).read_text("utf-8"))["services"].values()
    ]
    volumes = [volume for one in services for volume in one.get("volumes", ())]
    mounted = [volume.removesuffix(":ro").rpartition(":")[2] for volume in volumes]
    for file in files:
        assert any(Path(file).is_relative_to(place) for place in mounted), file
