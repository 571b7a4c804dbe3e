"""The units of systemd: hardened alike, each with what is its own."""

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.cli.settings import ClientSettings
from services.ingest.settings import IngestSettings
from services.settings import Settings, StoreSettings
from tests.servers.install_page import INSTALL, UPGRADE, commands

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(
    path for path in FOLDER.iterdir() if path.suffix in (".service", ".timer", ".target")
)
OURS = ("luot-ingest@.service", "luot-aggregator.service", "luot-api@.service")
SETTINGS: dict[str, type[Settings]] = {
    "luot-ingest@.service": IngestSettings,
    "luot-aggregator.service": AggregatorSettings,
    "luot-api@.service": ApiSettings,
    "luot-doctor.service": StoreSettings,
    "luot-backup.service": StoreSettings,
}


def named(unit: str) -> str:
    return (FOLDER / unit).read_text("utf-8")


def test_all_units_of_services_are_hardened_alike() -> None:
    assert SETTINGS.keys() == {unit.name for unit in UNITS if unit.suffix == ".service"}
    block = re.compile(r"^CapabilityBoundingSet=.*?^IPAddressAllow=.*?$", re.MULTILINE | re.DOTALL)
    blocks = {name: block.search(named(name)) for name in SETTINGS}
    assert len({found[0] if found else name for name, found in blocks.items()}) == 1


@pytest.mark.parametrize("name", SETTINGS)
def test_what_has_metrics_sees_when_the_machine_started(name: str, tmp_path: Path) -> None:
    shown = "ProcSubset=pid\n" not in named(name)
    assert shown == (name in OURS)
    # Where only processes are shown, /proc/stat is missing, and with it every process_* metric:
    # LuotRestarts reads process_start_time_seconds.
    registry = CollectorRegistry()
    (tmp_path / "self").symlink_to("/proc/self")
    ProcessCollector(proc=str(tmp_path), registry=registry)
    assert list(registry.collect()) == []
    (tmp_path / "stat").symlink_to("/proc/stat")
    registry = CollectorRegistry()
    ProcessCollector(proc=str(tmp_path), registry=registry)
    assert "process_start_time_seconds" in {metric.name for metric in registry.collect()}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What deploy/systemd/make-secrets makes, in a folder of ours."""
    made = subprocess.run(
        [FOLDER / "make-secrets", tmp_path],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "REDIS_GROUP": "root", "CLICKHOUSE_GROUP": "root"},
    )
    assert "made" in made.stdout
    return tmp_path


@pytest.mark.parametrize("name", SETTINGS)
def test_a_unit_starts_with_settings_that_its_service_takes(name: str, secrets: Path) -> None:
    text = named(name)
    credentials = dict(re.findall(r"^LoadCredential=(\w+):(\S+)$", text, re.MULTILINE))
    environment = {
        key: value
        for line in re.findall(r"^Environment=(.+)$", text, re.MULTILINE)
        for key, value in (pair.split("=", 1) for pair in line.split())
        if key.startswith("LUOT_")
    }
    given = {
        key: re.sub(r"^%d/(\w+)$", lambda found: f"{secrets}{credentials[found[1]]}", value)
        for key, value in environment.items()
    }
    settings = SETTINGS[name].read(
        {key: value for key, value in given.items() if key != "LUOT_SPOOL"}
        if name == "luot-doctor.service"
        else given
    )
    assert ":" in settings.redis_url.removeprefix("redis://")
    used = set(re.findall(r"%d/(\w+)", text))
    assert used == credentials.keys()


def test_secrets_are_made_once_for_root_only_and_fit_together(secrets: Path) -> None:
    folder = secrets / "etc/luot/secrets"
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    subprocess.run(
        [FOLDER / "make-secrets", secrets],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "REDIS_GROUP": "root", "CLICKHOUSE_GROUP": "root"},
    )
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    password = before[folder / "passwords/redis"].strip()
    assert (secrets / "etc/redis/luot-password.conf").read_text() == f"requirepass {password}\n"
    assert f":{password}@" in before[folder / "ingest/redis_url"]
    assert not (folder / "ingest/clickhouse_url").exists()
    # The stores' own users enter these.
    for store in ("etc/redis", "etc/clickhouse-server/users.d"):
        assert (secrets / store).stat().st_mode & 0o077 == 0o055


@pytest.mark.parametrize("name", OURS)
def test_a_service_belongs_to_the_target_and_comes_back(name: str) -> None:
    text = named(name)
    for line in ("PartOf=luot.target", "WantedBy=luot.target", "Restart=always"):
        assert re.search(rf"^{line}$", text, re.MULTILINE)


def test_every_timer_has_its_service_and_starts_and_stops_with_the_target() -> None:
    timers = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert {timer.name for timer in timers} == {"luot-doctor.timer", "luot-backup.timer"}
    for timer in timers:
        assert timer.with_suffix(".service").exists()
        text = timer.read_text("utf-8")
        for line in ("PartOf=luot.target", "WantedBy=luot.target"):
            assert re.search(rf"^{line}$", text, re.MULTILINE), timer.name
        # What the target's stop let pass is made up for.
        assert re.search(r"^Persistent=(true|yes)$", text, re.MULTILINE)


def test_the_page_enables_every_timer_before_it_starts_the_target() -> None:
    lines = "".join(commands(INSTALL, "Without containers")).splitlines()
    enabled = {
        word
        for line in lines[: lines.index("systemctl start luot.target")]
        if line.startswith("systemctl enable ")
        for word in line.split()
    }
    assert {unit.name for unit in UNITS if unit.suffix == ".timer"} < enabled
    started = {word.partition("@")[0] for word in enabled}
    assert {name.partition(".")[0].rstrip("@") for name in OURS} < started


def test_the_commands_of_an_operator_find_both_stores_and_the_token(secrets: Path) -> None:
    [block] = commands(INSTALL, "Commands without containers")
    given = {
        key: f"{secrets}{value}" if value.startswith("/etc/") else value
        for key, value in re.findall(r"\b(LUOT_\w+)=(\S+)", block)
    }
    settings = StoreSettings.read(given)
    assert "127.0.0.1:6379" in settings.redis_url
    assert "luot:" in settings.clickhouse_url.get_secret_value()
    assert ClientSettings.read(given).token is not None
    # The programs are where the page installs them, and the units start them.
    assert "export PATH=$PATH:/opt/luot/bin\n" in block
    assert all("ExecStart=/opt/luot/bin/luot " in named(name) for name in SETTINGS)


@pytest.mark.parametrize("page", [INSTALL, UPGRADE])
def test_what_services_read_is_installed_for_everybody(page: Path) -> None:
    # tests/install/run.py runs the pages under a stricter umask.
    for block in commands(page, "Without containers"):
        if "pip install" in block:
            assert block.startswith("umask 022\n")


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("", ["api@8002", "api@8012", "ingest@8001", "ingest@8011", "aggregator"]),
        ("curl 8012", ["api@8002", "api@8012"]),
        ("systemctl luot-ingest@8001", ["api@8002", "api@8012", "ingest@8001"]),
    ],
)
def test_an_upgrade_ends_at_the_first_unit_that_is_not_ready(
    tmp_path: Path, broken: str, expected: list[str]
) -> None:
    [loop] = [block for block in commands(UPGRADE, "Without containers") if "for unit" in block]
    failing, _, of = broken.partition(" ")
    for name in ("systemctl", "curl"):
        stub = tmp_path / name
        fails = f'case "$*" in *{of}*) exit 1 ;; esac\n' if name == failing else ""
        stub.write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/ran\n{fails}')
        stub.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", loop], env=environ, capture_output=True, check=False)
    ran = (tmp_path / "ran").read_text("utf-8")
    restarted = re.findall(r"^systemctl restart luot-(\S+)$", ran, re.MULTILINE)
    assert restarted == expected


def test_a_restore_stops_whatever_writes_and_starts_it_again() -> None:
    page = (ROOT / "docs/backup.md").read_text("utf-8")
    [stopped], [started] = (
        re.findall(rf"^systemctl {verb} (luot-.+ luot-.+)$", page, re.MULTILINE)
        for verb in ("stop", "start")
    )
    units = {"luot-aggregator", "luot-api@8002", "luot-api@8012", "luot-backup.timer"}
    assert set(stopped.split()) == set(started.split()) == units


def test_the_runbook_starts_units_that_there_are() -> None:
    page = (ROOT / "docs/runbook.md").read_text("utf-8")
    packages = "".join(commands(INSTALL, "Without containers"))
    [stores] = re.findall(r"^systemctl restart (.+-server .+)$", packages, re.MULTILINE)
    known = {*stores.split(), *(unit.name.partition(".")[0].partition("@")[0] for unit in UNITS)}
    started = re.findall(r"`systemctl (?:re)?start '?([\w-]+)[^`]*`", page)
    assert set(started) <= known
    # What is started with Compose is started without it, too.
    for line in page.splitlines():
        for service in re.findall(r"`docker compose (?:up -d|restart) ?(\w*)`", line):
            found = re.findall(r", or `systemctl (?:re)?start '?([\w-]+)", line)
            unit = f"{service}-server" if f"{service}-server" in known else "luot-"
            assert [one for one in found if one.startswith(unit)], line


def test_the_page_puts_the_host_name_everywhere_into_the_file_of_the_web_server(
    tmp_path: Path,
) -> None:
    blocks = commands(INSTALL, "Without containers")
    [block] = [block for block in blocks if "deploy/nginx/luot.conf" in block]
    name, *_ = block.splitlines()
    [filled] = [line for line in block.splitlines() if line.startswith("sed ")]
    script = f"{name.replace('thongke', 'dem')}\n{filled}".replace("/etc/nginx", str(tmp_path))
    (tmp_path / "conf.d").mkdir()
    subprocess.run(["bash", "-euc", script], check=True, cwd=ROOT)
    made = (tmp_path / "conf.d/luot.conf").read_text("utf-8")
    assert "thongke" not in made
    shipped = (ROOT / "deploy/nginx/luot.conf").read_text("utf-8")
    assert made == shipped.replace("thongke.example.vn", "dem.example.vn") != shipped
