"""Names of hosts for programs that have no setting of their own for it."""

from pathlib import Path

from tests.browser.engines.engine import HOSTS
from tests.require import library


def known_names(folder: Path) -> dict[str, str]:
    """Return the environment in which a program finds the portals on this machine."""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(HOSTS)}\n")
    return {"LD_PRELOAD": library("*/libnss_wrapper.so"), "NSS_WRAPPER_HOSTS": str(hosts)}
