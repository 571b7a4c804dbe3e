"""Follows the install page on a machine, and uses what stands there afterwards."""

import json
import time
from collections.abc import Callable

from tests.servers.install_page import INSTALL, UPGRADE, commands, needs_network
from tests.servers.machine import Machine

SECTION = "Without containers"
NAME = "thongke.example.vn"
CURL = f"curl -sk --max-time 30 --resolve {NAME}:443:127.0.0.1"
ANSWERS, STOP = "/run/answers", "/run/stop"
UNITS = (
    *("luot-api@8002", "luot-api@8012", "luot-ingest@8001", "luot-ingest@8011"),
    "luot-aggregator",
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Installed:
    """A Luot behind its web server, asked from the machine that it is on."""

    def __init__(self, machine: Machine, doctor: str) -> None:
        self.machine = machine
        self.doctor = doctor
        self.taken = 0
        """Hits that were answered with 202: the number that the pages must come to."""

    def wait_until_known(self, seconds: float = 60) -> None:
        """Return when every process knows the site: the others read it after the one asked."""
        foreign = json.dumps({"n": "pageview", "u": "https://foreign.invalid/", "d": "mytho"})
        ask = [
            *(f"curl -sf http://127.0.0.1:{port}/api/counter/mytho" for port in (8002, 8012)),
            *(
                f"curl -si -d '{foreign}' http://127.0.0.1:{port}/e | grep -i foreign_host"
                for port in (8001, 8011)
            ),
        ]
        deadline = time.monotonic() + seconds
        for command in ask:
            while not self.machine.run(f"{command} || true"):
                assert time.monotonic() < deadline, command
                time.sleep(0.2)

    def hit(self) -> str:
        """Send a hit as a browser does; return the status of the answer."""
        status = self.machine.run(self.hit_command())
        self.taken += status == "202"
        return status

    def hit_command(self) -> str:
        """Return the command that sends a hit and prints the status of the answer."""
        body = {"n": "pageview", "u": "https://mytho.example/", "d": "mytho"}
        return (
            f"{CURL} -o /dev/null -w '%{{http_code}}' -A '{BROWSER}'"
            f" -H 'Content-Type: text/plain' -d '{json.dumps(body)}' https://{NAME}/e"
        )

    def total(self) -> int:
        """Return the number on the pages."""
        said = self.machine.run(f"{CURL} --fail 'https://{NAME}/api/counter/mytho?metric=views'")
        return int(json.loads(said)["total"])

    def wait_for_total(self, seconds: float = 60) -> None:
        """Return when the number on the pages is that of the hits that were taken."""
        deadline = time.monotonic() + seconds
        while (total := self.total()) != self.taken:
            assert time.monotonic() < deadline, f"{total} views, expected {self.taken}"
            time.sleep(0.2)


def install(
    machine: Machine,
    *,
    skip: Callable[[str], bool] = lambda _: False,
    say: Callable[[str], None] = lambda _: None,
) -> Installed:
    """Run every command of the page, in order; return what stands there then."""
    said = ""
    for block in commands(INSTALL, SECTION):
        if not skip(block):
            said = _run(machine, block, say)
    luot = Installed(machine, said)
    luot.wait_until_known()
    return luot


def upgrade(
    luot: Installed,
    *,
    skip: Callable[[str], bool] = lambda _: False,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[int, int]:
    """Run every command of an upgrade while hits come in; return how many were, and were refused.

    Raises AssertionError when another number of hits is counted, or a unit was not restarted.
    """
    machine = luot.machine
    show = f"systemctl show --property MainPID --value {' '.join(UNITS)}"
    before = machine.run(show).split()
    machine.run(
        f"rm -f {ANSWERS} {STOP}\n"
        f"(while test ! -e {STOP}; do {luot.hit_command()} >>{ANSWERS}; echo >>{ANSWERS};"
        f" sleep 0.05; done; touch {STOP}ped) >/dev/null 2>&1 &"
    )
    for block in commands(UPGRADE, SECTION):
        if not skip(block):
            _run(machine, block, say)
    assert not set(before) & set(machine.run(show).split()), "some still run the old version"
    machine.run(f"touch {STOP}; until test -e {STOP}ped; do sleep 0.1; done")
    answers = machine.run(f"cat {ANSWERS}").split()
    taken = answers.count("202")
    luot.taken += taken
    luot.wait_for_total()
    return len(answers), len(answers) - taken


def _run(machine: Machine, block: str, say: Callable[[str], None]) -> str:
    started = time.monotonic()
    # Of a machine that was hardened.
    said = machine.run(f"umask 077\n{block}", network=needs_network(block))
    say(f"{block.rstrip()}\n# {time.monotonic() - started:.0f} s\n{said}")
    return said
