"""The version stands in services/__init__.py; everything else is made from it or held against it.

The image of docker-compose.yml is held by test_compose.py, the addresses of the scripts by
test_widget_scripts.py.
"""

import re
import tomllib
from pathlib import Path

from services import __version__
from services.widget.build import CHANGES

ROOT = Path(__file__).parents[2]
NUMBER = r"(\d+\.\d+\.\d+)"
HEADING = re.compile(rf"^## (?:Unreleased: {NUMBER}|{NUMBER} - \d{{4}}-\d\d-\d\d)$", re.MULTILINE)
# As an image, an address of a script, or in a sentence.
NAMED = re.compile(rf"\bluot[: ]v?{NUMBER}\b(?!\.\d)|/v{NUMBER}/", re.IGNORECASE)


def numbers(pattern: re.Pattern[str], text: str) -> list[str]:
    return ["".join(match.groups("")) for match in pattern.finditer(text)]


def test_the_package_takes_its_version_from_the_code() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in pyproject["project"]
    assert pyproject["project"]["dynamic"] == ["version"]
    source = ROOT / pyproject["tool"]["hatch"]["version"]["path"]
    assert f'\n__version__ = "{__version__}"\n' in source.read_text("utf-8")


def test_the_newest_changes_are_those_of_the_version() -> None:
    headings = numbers(HEADING, CHANGES.read_text("utf-8"))
    assert headings[0] == __version__, "raise services.__version__ and begin its changes together"


def test_no_page_names_another_version() -> None:
    compose = ROOT.glob("docker-compose*.yml")
    pages = [ROOT / "README.md", *compose, *(ROOT / "docs").glob("*.md")]
    named = {
        (page.name, number)
        for page in pages
        for number in numbers(NAMED, page.read_text("utf-8"))
        if number != __version__
    }
    assert not named


def test_a_release_is_told_every_file_that_carries_the_version() -> None:
    page = (ROOT / "docs/releasing.md").read_text("utf-8")
    table = page.partition("\n## What carries the version\n")[2].partition("\n## ")[0]
    places = "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE))
    listed = set(re.findall(r"`([^`]+)`", places))
    named = re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.])")
    patterns = ("Dockerfile", "docker-compose*.yml", "pyproject.toml", "README.md", "docs/*.md")
    carrying = {
        path.relative_to(ROOT).as_posix()
        for pattern in (*patterns, "deploy/**/*", "services/*.py")
        for path in ROOT.glob(pattern)
        if path.is_file() and "secrets" not in path.parts and path.name != "releasing.md"
        if named.search(path.read_text("utf-8", "replace"))
    }
    assert "deploy/kubernetes/base/jobs.yaml" in carrying
    assert carrying <= listed, "docs/releasing.md lists all of them"


def test_a_version_is_found_where_it_is_named() -> None:
    text = "image: luot:9.8.7, src=/v9.8.6/counter.js, Luot 9.8.5; valkey:9.1.1, Redis 7.0.0"
    assert numbers(NAMED, text) == ["9.8.7", "9.8.6", "9.8.5"]
