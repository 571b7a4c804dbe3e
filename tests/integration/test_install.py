"""The commands of the install page, run as they are on it, on a machine with systemd.

Here the machine has the packages that this one has; `make install-test` begins with a bare Debian.
"""

from collections.abc import Iterator

import pytest

from tests.install.run import Installed, install, upgrade
from tests.require import program
from tests.servers.install_page import needs_network
from tests.servers.machine import Machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    for name in ("redis-server", "clickhouse-server", "nginx", "openssl", "curl"):
        program(name)
    machine = Machine(tmp_path_factory.mktemp("machine"), installed=True)
    machine.start()
    try:
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope="module")
def luot(machine: Machine) -> Installed:
    # What apt-get would install is there.
    return install(machine, skip=lambda block: "apt-get" in block)


@pytest.mark.timeout(900)
def test_the_page_leads_to_a_number_that_grows_behind_tls(luot: Installed) -> None:
    assert luot.total() == 0
    assert luot.hit() == "202"
    luot.wait_for_total()
    assert "0 wrong" in luot.doctor


def test_the_salts_of_the_day_outlive_a_restart_in_memory(
    luot: Installed, machine: Machine
) -> None:
    luot.total()
    said = machine.run("journalctl --no-pager --unit 'luot-ingest@*'")
    assert "salts are not kept" not in said


def test_each_service_can_reach_what_is_its_own_and_nothing_else(
    luot: Installed, machine: Machine
) -> None:
    def environ(unit: str) -> str:
        """Return what a service is told, and which secrets are in its folder."""
        pid = machine.run(f"systemctl show --property MainPID --value {unit}").strip()
        return machine.run(
            f"tr '\\0' '\\n' </proc/{pid}/environ; ls /run/credentials/{unit}.service"
        )

    assert "CLICKHOUSE" not in environ("luot-ingest@8001")
    assert "clickhouse_url" not in environ("luot-ingest@8001")
    assert "admin_token" not in environ("luot-aggregator")
    assert "admin_token" in environ("luot-api@8002")


def test_each_service_tells_since_when_it_runs(luot: Installed, machine: Machine) -> None:
    luot.total()
    for port in (8001, 8011, 8002, 8012, 8003):
        told = machine.run(f"curl -sf http://127.0.0.1:{port}/metrics")
        assert "\nprocess_start_time_seconds " in told


def test_a_service_that_is_killed_comes_back(luot: Installed, machine: Machine) -> None:
    machine.run("systemctl kill --signal=KILL luot-aggregator luot-ingest@8001")
    assert luot.hit() == "202"
    luot.wait_for_total()


def test_an_upgrade_refuses_no_hit_and_loses_none(luot: Installed) -> None:
    # What pip would install is there.
    sent, refused = upgrade(luot, skip=needs_network)
    assert sent > 0
    assert refused == 0


def test_a_backup_is_made_by_its_unit(luot: Installed, machine: Machine) -> None:
    assert luot.total() >= 0
    # Without a restart of the machine, both timers run.
    for timer in ("luot-doctor.timer", "luot-backup.timer"):
        machine.run(f"systemctl is-active {timer}")
    machine.run("systemctl start luot-backup")
    assert machine.run("ls /var/lib/luot-backup").split()
