"""`python -m tests.compose`: docker-compose.yml for real, with stand-ins for its images."""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.compose import stand_ins
from tests.compose.daemon import Daemon, NoDockerError
from tests.compose.project import Project
from tests.compose.run import say, tell


def main() -> int:
    parser = argparse.ArgumentParser(prog="make compose-test", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long to observe each load")
    parser.add_argument("--host", help="a running daemon: unix:///var/run/docker.sock")
    options = parser.parse_args()
    # ClickHouse asks for more than some machines hand on.
    nofile = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 262_144)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="luot-compose-") as folder:
        try:
            with Daemon(Path(folder) / "docker", options.host) as daemon:
                say("building stand-ins for the images, from Debian")
                images = stand_ins.build(daemon)
                project = Project(daemon, Path(folder) / "luot", images, nofile)
                say("building the image")
                say(f"the image adds {project.build() / 1e6:.0f} MB to its base")
                try:
                    asyncio.run(tell(project, options.seconds))
                finally:
                    project.down()
        except NoDockerError as error:
            say(f"make compose-test needs Docker: {error}")
            return int(os.environ.get("LUOT_TEST_REQUIRE_ALL") == "1")
    say(f"done in {(time.monotonic() - began) / 60:.0f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
