"""`make install-test`: the install page in a bare Debian 12, made for it by debootstrap."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.install.run import install, upgrade
from tests.servers.machine import Machine

# What a Debian on a rented machine has as well; the page installs the rest.
BARE = "systemd,systemd-sysv,dbus,ca-certificates,iproute2,procps,bash"


def main() -> None:
    """Make the Debian, follow the page, count a hit; say how long each step took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luot-install-") as folder:
        root = Path(folder) / "root"
        say(f"making a bare Debian 12 in {root}")
        subprocess.run(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={BARE}",
                "bookworm",
                root,
                options.mirror,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        # The network of this machine, for packages.
        (root / "etc/resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
        # And whom pip is told to trust here, if that is not everybody's list.
        if certificates := os.environ.get("PIP_CERT"):
            there = root / certificates.lstrip("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(Path(certificates).read_bytes())
        machine = Machine(Path(folder), installed=False)
        machine.start()
        try:
            started = time.monotonic()
            luot = install(machine, say=say)
            assert luot.hit() == "202"
            luot.wait_for_total()
            say(f"from the first command to the first number: {time.monotonic() - started:.0f} s")
            say(machine.run("systemctl --no-pager status 'luot*' | grep -E '●|Active|Memory'"))
            say(machine.run("ps -eo user:16,rss,args --sort -rss | head -15"))
            assert "0 wrong" in luot.doctor, luot.doctor
            sent, refused = upgrade(luot, say=say)
            say(f"upgraded while {sent} hits came in: {refused} were refused")
        finally:
            machine.stop()


def say(text: str) -> None:
    """Print a line for whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
