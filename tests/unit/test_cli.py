"""The command line: what it says, how it fails, and that it is quick to say it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services import __version__, cli
from services.cli.main import app
from services.cli.settings import ClientSettings
from services.embedded.data_folder import DataFolder
from services.settings import SettingsError

COMMANDS = (
    *("up", "ingest", "aggregator", "api", "migrate", "replay", "simulate", "site"),
    *("backup", "restore", "rewind", "doctor", "balance", "snippet", "import", "tail"),
    *("user", "token", "group", "audit", "convert", "country", "export"),
)
HEAVY = ("chdb", "faust", "fastapi", "uvicorn", "redis", "clickhouse_driver", "pydantic", "httpx")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LUOT_URL", "LUOT_TOKEN", "LUOT_REDIS_URL", "LUOT_PARTITIONS"):
        monkeypatch.delenv(name, raising=False)


def luot(*arguments: str) -> tuple[int, str]:
    """Return exit code and output, folded to one line."""
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def test_help_names_every_command() -> None:
    code, text = luot("--help")
    assert code == 0
    for command in COMMANDS:
        assert f" {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    code, text = luot(command, "--help")
    assert code == 0
    assert "Usage" in text


def test_the_version_is_told() -> None:
    assert luot("--version") == (0, f"luot {__version__}")


def test_names_are_in_addresses_of_the_api_only_as_at_writes_them() -> None:
    written = [
        f"{module.name}:{call.lineno}"
        for module in Path(cli.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in ("call", "tell", "send", "until", "stream")
        if module.stem != "connection"
        if any(isinstance(argument, ast.JoinedStr) for argument in call.args)
    ]
    assert written == []


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, contextlib\n"
        "from services.cli.main import app\n"
        "with contextlib.suppress(SystemExit): app(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["up", "ingest", "aggregator", "api", "migrate"])
def test_a_bad_setting_is_one_message_with_name_and_value(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUOT_PARTITIONS", "many")
    code, text = luot(command)
    assert code == 2
    assert "LUOT_PARTITIONS='many'" in text


def test_an_unknown_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUOT_PORTS", "1")
    code, text = luot("up")
    assert (code, "LUOT_PORTS='1' is not a setting of Luot" in text) == (2, True)


def test_a_log_that_is_not_there_is_named() -> None:
    code, text = luot("replay", "/nowhere/access.log", "--site", "demo")
    assert (code, "/nowhere/access.log cannot be read" in text) == (2, True)


def test_a_url_that_is_none_is_named() -> None:
    code, text = luot("simulate", "--url", "localhost:8000")
    assert (code, "'localhost:8000' is not a base URL" in text) == (2, True)


def test_sites_need_a_token() -> None:
    code, text = luot("site", "list")
    assert (code, "LUOT_TOKEN is not set" in text) == (2, True)


def test_an_edit_without_changes_is_refused() -> None:
    code, text = luot("site", "edit", "mytho")
    assert (code, "nothing to change on mytho" in text) == (2, True)


def test_a_folder_without_luot_is_named(tmp_path: Path) -> None:
    code, text = luot("site", "list", "--data", str(tmp_path))
    assert (code, "the file url is missing" in text) == (2, True)


def test_a_luot_that_does_not_run_is_named(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        folder.write("url", "http://127.0.0.1:9")
        folder.write("token", "x" * 32)
    code, text = luot("site", "list", "--data", str(tmp_path))
    assert (code, "http://127.0.0.1:9 cannot be reached" in text) == (2, True)


def test_a_data_folder_wins_over_the_environment(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        folder.write("url", "http://127.0.0.1:8123")
        folder.write("token", "of the folder")
    environ = {"LUOT_URL": "http://other.example", "LUOT_TOKEN": "of the environment"}
    settings = ClientSettings.of(tmp_path, environ)
    assert settings.url == "http://127.0.0.1:8123"
    assert settings.token is not None
    assert settings.token.get_secret_value() == "of the folder"
    assert ClientSettings.of(None, environ).url == "http://other.example"


def test_a_url_in_the_settings_must_be_one() -> None:
    with pytest.raises(SettingsError, match="LUOT_URL='stats'"):
        ClientSettings.of(None, {"LUOT_URL": "stats"})


def test_the_shell_completes_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"_LUOT_COMPLETE": "complete_bash", "COMP_WORDS": "luot user ed", "COMP_CWORD": "2"}
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, prog_name="luot")
    assert (result.exit_code, result.output.split()) == (0, ["edit"])


def test_the_shell_is_told_how_to_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_LUOT_COMPLETE", "source_bash")
    result = CliRunner().invoke(app, prog_name="luot")
    assert "complete -o default -F _luot_completion luot" in result.output
