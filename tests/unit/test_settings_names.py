"""The names of the settings are one list; classes, code, deployment and tests are held against it.

Two more tests belong to it: the documents in test_docs.py, the table in test_deploy_settings.py.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from services.settings import NAMES, PREFIX, Settings, settings_of

ROOT = Path(__file__).parents[2]
NAME = re.compile(rf"\b{PREFIX}([A-Z][A-Z_]*[A-Z])\b")
DEPLOYED = ("docker-compose.yml", "docker-compose.many.yml", "Dockerfile", "Makefile", "deploy")
CODE = ("services", "benchmarks", "tests")
# Of the tests, of the shell's completion, of ClickHouse; then names that tests mistype on purpose.
NO_SETTINGS = {
    *("TEST_PICTURES", "TEST_REQUIRE_ALL", "TEST_THREE_BROKERS"),
    *("COMPLETE", "CLICKHOUSE_PASSWORD"),
    *("ADMIN_TOKN", "NONE", "PARTITION", "PORTS", "REDDIS_URL"),
}


def classes() -> list[type[Settings]]:
    """Return every class of settings there is."""
    for file in (ROOT / "services").glob("*/settings.py"):
        import_module(f"services.{file.parent.name}.settings")

    def below(cls: type[Settings]) -> Iterator[type[Settings]]:
        yield cls
        for subclass in cls.__subclasses__():
            yield from below(subclass)

    return [cls for cls in below(Settings) if cls.__module__.startswith("services.")]


def files(*names: str) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and file.suffix in ("", ".py", ".yml", ".service", ".conf"):
                yield file


def test_the_list_holds_what_the_classes_read_and_nothing_else() -> None:
    fields = {name.upper() for cls in classes() for name in settings_of(cls)}
    assert fields == NAMES, "a setting stands in its class and in services.settings.NAMES"


@pytest.mark.parametrize("names", [DEPLOYED, CODE])
def test_every_setting_that_is_named_is_in_the_list(names: tuple[str, ...]) -> None:
    unknown = {
        (str(file.relative_to(ROOT)), name)
        for file in files(*names)
        for name in NAME.findall(file.read_text("utf-8", "replace"))
        if name not in NAMES | NO_SETTINGS and name.removesuffix("_FILE") not in NAMES | {"X"}
    }
    assert not unknown
