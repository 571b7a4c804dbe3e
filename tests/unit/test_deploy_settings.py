"""The table of settings in docs/deployment.md is what the settings classes say.

After a change of settings, `python -m tests.unit.test_deploy_settings` writes it again.
"""

import re
from pathlib import Path

import pytest
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.cli.settings import ClientSettings
from services.ingest.settings import IngestSettings
from services.settings import NAMES, PREFIX, Settings, SettingsError, described, settings_of
from services.standalone.settings import OWN_STORES, UpSettings

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
BEGIN, END = "<!-- settings -->", "<!-- end of settings -->"
# Of two classes with the same setting, the first describes it.
READERS: dict[str, type[Settings]] = {
    "ingest": IngestSettings,
    "aggregator": AggregatorSettings,
    "api": ApiSettings,
    "up": UpSettings,
    "commands": ClientSettings,
}
# What depends on the service or on the user is said in words.
SAID = {
    "salts": "`/dev/shm/luot-UID`",
    "log_level": "`info`; `warning`: up",
    "port": "`8001`, `8002`, `8003`, `8004`: ingest, api, aggregator, probe; `8000`: up",
    "spool": "`/var/lib/luot/spool` for root, else `$XDG_STATE_HOME/luot/spool`",
}


def default_of(name: str, field: FieldInfo) -> str:
    """Return the default as one would write it into the environment."""
    if name in SAID:
        return SAID[name]
    value = field.default
    assert value is not NODEFAULT, f"say the default of {name} in SAID"
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(str(part).removesuffix("/128") for part in value)
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, float):
        value = f"{value:g}"
    return "" if value is None else f"`{value}`"


def table() -> str:
    """Return the table of all settings."""
    lines = ["| setting | default | meaning | read by |", "|---|---|---|---|"]
    for name in sorted(NAMES):
        field_name = name.lower()
        readers = [
            who
            for who, cls in READERS.items()
            if field_name in settings_of(cls)
            # It has stores of its own, and refuses to start with another's.
            and not (who == "up" and field_name in OWN_STORES)
        ]
        assert readers, f"{PREFIX}{name} is read by nobody"
        cls = READERS[readers[0]]
        [field] = [field for field in fields(cls) if field.name == field_name]
        meaning = described(settings_of(cls)[field_name])
        shown = "all" if len(readers) == len(READERS) else ", ".join(readers)
        lines.append(
            f"| `{PREFIX}{name}` | {default_of(field_name, field)} | {meaning} | {shown} |"
        )
    return "\n".join(lines)


def page(settings: str) -> str:
    """Return the page with this table of settings."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{settings}\n\n{END}{rest.partition(END)[2]}"


def test_the_table_of_settings_is_complete_and_true() -> None:
    told = "it is out of date: run `python -m tests.unit.test_deploy_settings`"
    assert PAGE.read_text("utf-8") == page(table()), told


@pytest.mark.parametrize("name", OWN_STORES)
def test_the_table_does_not_say_that_up_reads_what_it_refuses(name: str) -> None:
    with pytest.raises(SettingsError, match="runs its own stores"):
        UpSettings.read({f"{PREFIX}{name.upper()}": "1"})
    [row] = re.findall(rf"^\| `{PREFIX}{name.upper()}` \|.*", PAGE.read_text("utf-8"), re.MULTILINE)
    assert "up" not in re.findall(r"\w+", row.rpartition(" | ")[2])
    assert not row.endswith("| all |")


if __name__ == "__main__":
    PAGE.write_text(page(table()), "utf-8")
