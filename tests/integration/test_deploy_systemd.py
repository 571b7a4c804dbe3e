"""systemd understands the units, and finds little that they could reach."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.require import program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(
    path for path in FOLDER.iterdir() if path.suffix in (".service", ".timer", ".target")
)
MOST_EXPOSED = 1.5


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All units under the names that they are started by; what they run is not installed here."""
    folder = tmp_path_factory.mktemp("units")
    made = []
    for unit in UNITS:
        copy = folder / unit.name.replace("@.", "@8001.")
        copy.write_text(re.sub(r"/opt/luot/bin/luot\b", "/bin/true", unit.read_text("utf-8")))
        made.append(copy)
    return made


def test_systemd_understands_the_units(copies: list[Path]) -> None:
    systemd = program("systemd-analyze")
    done = subprocess.run([systemd, "verify", *copies], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_little_that_a_service_could_reach(copies: list[Path]) -> None:
    systemd = program("systemd-analyze")
    services = [copy for copy in copies if copy.suffix == ".service"]
    assert services
    for copy in services:
        done = subprocess.run(
            [systemd, "security", "--offline=yes", "--no-pager", copy],
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        assert float(found[1]) < MOST_EXPOSED, done.stdout


def test_systemd_understands_the_drop_ins_of_the_pages(tmp_path: Path) -> None:
    systemd = program("systemd-analyze")
    tried = set()
    for page in ("install.md", "deployment.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        for unit, block in re.findall(
            r"^```ini\n# systemctl edit (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        ):
            unit = f"{unit.removesuffix('.service')}.service"
            shipped = (FOLDER / unit).read_text("utf-8")
            copy = tmp_path / unit.replace("@.", "@8001.")
            copy.write_text(shipped.replace("/opt/luot/bin/luot", "/bin/true") + block)
            done = subprocess.run(
                [systemd, "verify", copy], capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert "IPAddressDeny=any\n" in shipped, "what the drop-in opens"
            tried.add(unit)
    assert tried == {"luot-aggregator.service", "luot-api@.service"}
