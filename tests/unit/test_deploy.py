"""What is shipped to run Luot with fits the code and itself."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from services import __version__
from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.ingest.app import PATHS
from services.ingest.settings import IngestSettings
from services.settings import Settings
from services.store.address import Address
from tests.require import program

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
NGINX = (ROOT / "deploy/nginx/luot.conf").read_text("utf-8")
CADDY = (ROOT / "deploy/caddy/Caddyfile").read_text("utf-8")
UNIT = ROOT / "deploy/systemd/luot@.service"

SERVICES: dict[str, type[Settings]] = {
    "ingest": IngestSettings,
    "aggregator": AggregatorSettings,
    "api": ApiSettings,
}
each_service = pytest.mark.parametrize("name", SERVICES)


def block(name: str, indent: int = 2) -> str:
    """Return the lines below a key of the compose file."""
    margin = " " * indent
    found = re.search(rf"^{margin}{name}:.*\n((?:{margin}  .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found, f"docker-compose.yml has no {name}"
    return found[1]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run([ROOT / "deploy/make-secrets", folder], check=True, capture_output=True)
    return folder


def environment(name: str, secrets: Path) -> dict[str, str]:
    """Return the LUOT_* that a service sees in its container, its secrets in a folder of ours."""
    from_image = re.findall(r"\b(LUOT_\w+)=(\S+)", DOCKERFILE)
    from_compose = re.findall(r"^      (LUOT_\w+): (.+)$", block(name), re.MULTILINE)
    found = dict([*from_image, *from_compose])
    assert {"LUOT_HOST", "LUOT_REDIS_URL"} <= found.keys()
    return {
        key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value).replace("/run/secrets", str(secrets))
        for key, value in found.items()
    }


@each_service
def test_a_container_starts_with_settings_that_its_service_takes(name: str, secrets: Path) -> None:
    settings = SERVICES[name].read(environment(name, secrets))
    port = settings.listen_port
    assert settings.host == "0.0.0.0"
    assert f'ports: ["127.0.0.1:{port}:{port}"]' in block(name)
    assert f"http://127.0.0.1:{port}/readyz" in block(name)
    assert re.search(rf"^EXPOSE .*\b{port}\b", DOCKERFILE, re.MULTILINE)


@each_service
def test_a_container_is_given_the_secrets_it_reads_and_no_other(name: str) -> None:
    given = re.search(r"^    secrets: \[(.*)\]$", block(name), re.MULTILINE)
    read = set(re.findall(r"/run/secrets/(\w+)", block(name)))
    assert set(given[1].split(", ") if given else []) == read


@pytest.mark.parametrize(("name", "kind"), [("ingest", IngestSettings), ("api", ApiSettings)])
def test_the_gateway_is_believed_and_nobody_else_of_its_network(
    name: str, kind: type[IngestSettings | ApiSettings], secrets: Path
) -> None:
    settings = kind.read(environment(name, secrets))
    gateway = re.search(r"gateway: \$\{\w+:-(.*)\}(\.1)$", COMPOSE, re.MULTILINE)
    assert gateway
    trusted = [str(network) for network in settings.trusted_proxies]
    assert trusted == ["127.0.0.0/8", "::1/128", f"{gateway[1]}{gateway[2]}/32"]


def test_secrets_are_made_once_and_fit_together(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    assert before.keys() == set(re.findall(r"file: \./deploy/secrets/(\w+)", COMPOSE))
    subprocess.run([ROOT / "deploy/make-secrets", secrets], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before

    address = Address.parse(before["clickhouse_url"].strip())
    assert address.password == before["clickhouse_password"].strip()
    assert f"CLICKHOUSE_USER: {address.user}\n" in block("clickhouse")
    assert address.hosts == (("clickhouse", 9000),)
    # The containers have users of their own: they read the files, others cannot enter the folder.
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_every_image_has_a_fixed_version() -> None:
    named = re.findall(r"^(?:    |  )image: (\S+)", COMPOSE, re.MULTILINE)
    images = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", image) for image in named]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    images += re.findall(r"PYTHON_IMAGE(?:=|: \$\{PYTHON_IMAGE:-)([^\s}]+)", DOCKERFILE + COMPOSE)
    assert len(images) == 5
    assert len({image for image in images if image.startswith("python:")}) == 1
    assert f"luot:{__version__}" in images
    floating = [image for image in images if not re.search(r":\d+\.\d+\.\d+[\w.-]*$", image)]
    assert floating == []


def test_images_are_fixed_by_their_digests(tmp_path: Path) -> None:
    # What a registry would say; the tests ask none.
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        'for image; do :; done; test "$1" = pull || {\n'
        "    echo registry.example/copy@sha256:0000\n"
        '    echo "${image%:*}@sha256:$(printf %s "$image" | sha256sum | cut -d" " -f1)"; }\n'
    )
    docker.chmod(0o755)
    env = tmp_path / ".env"
    env.write_text("FRONT_NETWORK=10.83.80\nVALKEY_IMAGE=valkey/valkey@sha256:old\n")
    path = f"{tmp_path}:{os.environ['PATH']}"
    for _ in range(2):
        subprocess.run(
            [ROOT / "deploy/pin-images", env],
            check=True,
            capture_output=True,
            env={**os.environ, "PATH": path},
        )
        pinned = dict(line.split("=", 1) for line in env.read_text().splitlines())
        assert pinned.pop("FRONT_NETWORK") == "10.83.80"
        assert pinned.keys() == {"PYTHON_IMAGE", "VALKEY_IMAGE", "CLICKHOUSE_IMAGE"}
        assert all(re.fullmatch(r"[\w/-]+@sha256:[0-9a-f]{64}", one) for one in pinned.values())

    made = composed("--env-file", str(env))
    assert set(re.findall(r"\S+@sha256:\w+", made)) == set(pinned.values())


def test_every_file_that_is_mounted_exists_and_none_is_forgotten() -> None:
    mounted = re.findall(r"^      - \./(\S+?):\S+:ro$", COMPOSE, re.MULTILINE)
    shipped = [
        path
        for folder in ("redis", "clickhouse/config.d", "clickhouse/users.d", "clickhouse/current")
        for path in (ROOT / "deploy" / folder).rglob("*.*")
        if path.is_file()
    ]
    assert sorted(mounted) == sorted(str(path.relative_to(ROOT)) for path in shipped)


def test_nothing_but_the_loopback_interface_is_published() -> None:
    published = re.findall(r'ports: \["(.*)"\]', COMPOSE)
    assert len(published) == COMPOSE.count("ports:") == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "internal: true" in block("stores")
    for store in ("redis", "clickhouse"):
        assert "networks: [stores]" in block(store)


def test_every_container_is_hardened_and_limited() -> None:
    assert "cap_drop: [ALL]" in block("x-hardened", 0)
    assert "no-new-privileges:true" in block("x-hardened", 0)
    assert "<<: *hardened" in block("x-service", 0)
    assert "read_only: true" in block("x-service", 0)
    assert re.search(r"^USER 1000", DOCKERFILE, re.MULTILINE)
    for name in ("redis", "clickhouse", *SERVICES):
        assert "mem_limit:" in block(name)
        assert "healthcheck:" in block(name)
        assert "<<: *service" in block(name) if name in SERVICES else "user:" in block(name)


def test_the_image_is_given_the_files_it_copies() -> None:
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sorted(let_through) == sorted(copied)
    assert all((ROOT / source).exists() for source in copied)


def composed(*options: str, command: str = "") -> str:
    """Return what Compose makes of its file."""
    compose = program("docker-compose")
    done = subprocess.run(
        [compose, "-f", ROOT / "docker-compose.yml", *options, "config", *command.split()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_docker_compose_understands_the_file() -> None:
    services = composed(command="--services")
    assert set(services.split()) == {"redis", "clickhouse", *SERVICES}


def test_no_service_has_a_way_to_the_internet() -> None:
    made = composed()
    assert made.count("pids_limit: ") == 2 + len(SERVICES)
    networks = set(re.findall(r"^  (\w+):$", COMPOSE.partition("\nnetworks:\n")[2], re.MULTILINE))
    assert {"stores", "front"} <= networks
    assert "internal: true" in block("stores")
    assert 'com.docker.network.bridge.enable_ip_masquerade: "false"' in block("front")
    for name in ("redis", "clickhouse", *SERVICES):
        joined = re.search(r"networks: \[(.*)\]", block(name))
        assert joined
        assert set(joined[1].split(", ")) <= {"stores", "front"}


def test_web_servers_send_hits_to_ingest_and_the_rest_to_the_api() -> None:
    located = re.findall(r"location = (\S+)\s*{ .*proxy_pass http://luot_ingest; }", NGINX)
    matched = re.search(r"@hits path (.+)", CADDY)
    assert matched
    assert set(located) == set(matched[1].split()) == PATHS
    for text in (NGINX, CADDY):
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)]
        assert ports == [IngestSettings.default_port, ApiSettings.default_port]


def test_nginx_understands_its_file(tmp_path: Path) -> None:
    nginx = program("nginx")
    request = "req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout privkey.pem -out fullchain.pem"
    openssl = [program("openssl"), *request.split()]
    subprocess.run(openssl, cwd=tmp_path, check=True, capture_output=True)
    site = tmp_path / "luot.conf"
    site.write_text(NGINX.replace("/etc/ssl/thongke.example.vn", str(tmp_path)))
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; events {{}} http {{ include {site}; }}")
    done = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", tmp_path, "-c", main], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    systemd = program("systemd-analyze")
    unit = tmp_path / "luot@ingest.service"
    # The command is not installed where the tests run.
    unit.write_text(UNIT.read_text().replace("/opt/luot/bin/luot", "/bin/true"))
    done = subprocess.run([systemd, "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
