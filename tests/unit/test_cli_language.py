"""The command line in Vietnamese: everything that commands say is known, and nothing else is."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from services.access_log.page_filter import NotAPage
from services.cli.audit import _action, _fields
from services.cli.language import grouped, helped, said, spoken
from services.cli.main import app
from services.model.display import Lang, Preset
from services.widget.snippet import PinnedScript, Snippet

COMMANDS = Path(__file__).parents[2] / "services" / "cli"
FILE = tomllib.loads(files("services.cli").joinpath("languages", "vi.toml").read_text("utf-8"))
SAYING = {
    *("say", "note", "fail", "ask", "confirm", "said", "table", "prompt", "BadParameter"),
    *("SettingsError",),
}
OF_THE_LIBRARY = tuple(FILE["messages"]).index("Repeat for confirmation") + 1
"""How many of the first messages are not in our code."""
SAMPLE = "X"


@pytest.fixture(autouse=True)
def _vietnamese(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "vi_VN.UTF-8")


def paragraphs(command: Any) -> Iterator[str]:
    """Yield what a command and those below it have as help, but the commands to type."""
    texts = [command.help, *(getattr(one, "help", None) for one in command.params)]
    texts += [getattr(one, "rich_help_panel", None) for one in command.params]
    for text in filter(None, texts):
        for part in text.split("\n\n"):
            if not part.startswith(("[bold]luot ", "    luot ")):
                yield " ".join(part.split())
    for below in getattr(command, "commands", {}).values():
        yield from paragraphs(below)


def literal(node: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression may be, each value as X."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else SAMPLE for part in values
            )
        case ast.IfExp(body=body, orelse=orelse):
            yield from literal(body)
            yield from literal(orelse)
        case ast.BinOp(left=left, right=right):
            for begin in literal(left):
                yield from (begin + end for end in (list(literal(right)) or [SAMPLE]))
        case ast.Tuple(elts=parts):
            for part in parts:
                yield from literal(part)


def messages() -> Iterator[tuple[str, str]]:
    """Yield what the code of the commands says, with the name of the module."""
    for module in sorted(COMMANDS.glob("*.py")):
        for call in ast.walk(ast.parse(module.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name in SAYING:
                for text in literal(call.args[0]):
                    if re.search("[a-z]{2}", text):
                        yield module.name, text


def test_the_environment_names_the_language() -> None:
    assert spoken({"LANG": "vi_VN.UTF-8"}) is spoken({"LC_ALL": "vi"}) is Lang.VI
    assert spoken({"LANG": "vi_VN", "LC_ALL": "C.UTF-8"}) is Lang.EN
    assert spoken({"LANG": "en_US.UTF-8", "LC_MESSAGES": "vi_VN"}) is Lang.VI
    assert spoken({"LANG": "C"}) is spoken({"LANG": "POSIX"}) is spoken({}) is Lang.EN


def test_every_help_text_is_known_and_no_other() -> None:
    found = set(paragraphs(get_command(app)))
    gapped = {text for text in FILE["help"] if "{" in text}
    assert {text for text in found - FILE["help"].keys() if helped(text) == text} == set()
    assert FILE["help"].keys() - gapped - found == set()
    gaps = [re.sub(r"\\{[a-z]+\\}", ".+", re.escape(text)) for text in gapped]
    assert [gap for gap in gaps if not any(re.fullmatch(gap, text) for text in found)] == []
    assert helped("List the sites.") == "Liệt kê các trang web."


def test_everything_that_commands_say_is_known() -> None:
    found = list(messages())
    assert len(found) > 200
    assert [one for one in found if said(one[1]) == one[1]] == []


def found_by_doctor() -> Iterator[str]:
    """Yield what checks find and advise, and what they are called."""
    for module in (*sorted(COMMANDS.with_name("doctor").glob("*.py")), COMMANDS / "doctor_page.py"):
        for call in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "findings.add":
                for argument in (call.args[0], *call.args[2:]):
                    yield from (text for text in literal(argument) if re.search("[a-z]{2}", text))


def test_everything_that_doctor_says_is_known() -> None:
    names = {"aggregator", "Redis", "Luot", "script"}
    found = list(found_by_doctor())
    assert len(found) > 70
    assert [text for text in found if said(text) == text and text not in names] == []


PASSED_ON = ("access_log", "tables", "backup", "enrich", "log", "store", "traffic")
"""Rooms of what commands call; what they raise, and what they check, is said as it is."""
OF_PROGRAMS = {"BatchError", "ValueError", "RuntimeError", "KeyError", "TypeError", "StoreError"}
AS_IN_ENGLISH = {
    *("Redis", "Kafka", f"appendfsync {SAMPLE}", f"maxmemory-policy {SAMPLE}"),
    # Names of settings and what they are; and pieces of messages that are known as a whole.
    *(f"{SAMPLE} is {SAMPLE}", f"{SAMPLE} of {SAMPLE}", f"Kafka: {SAMPLE}"),
    *(f"Kafka: {SAMPLE}: {SAMPLE}", f"{SAMPLE}just-now"),
}


def raised(module: Path) -> Iterator[str]:
    for call in ast.walk(ast.parse(module.read_text("utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in ("ServerCheck", "LogTexts"):
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        elif name.endswith("Error") and name not in OF_PROGRAMS:
            arguments = call.args[:1]
        else:
            continue
        for argument in arguments:
            yield from (text for text in literal(argument) if re.search("[a-z]{2}", text))


def passed_on() -> list[Path]:
    return [file for room in PASSED_ON for file in COMMANDS.with_name(room).rglob("*.py")]


def test_everything_that_commands_pass_on_is_known() -> None:
    found = [text for file in passed_on() for text in raised(file)]
    assert len(found) > 100
    assert {text for text in found if said(text) == text} - AS_IN_ENGLISH == set()


def test_why_a_line_is_no_page_and_numbers_are_as_in_vietnamese() -> None:
    for why in NotAPage:
        assert said(f"left out: {why}") == f"bỏ qua: {FILE['values'][why]}"
    assert grouped(1_234_567) == "1.234.567"
    assert said("/b: verified, all 12,345 rows were restored and compared").count("12.345") == 1
    assert said("done, by an older version") == "xong, do bản cũ hơn"


STARTED = sorted(
    module
    for folder in ("standalone", "embedded")
    for module in COMMANDS.with_name(folder).glob("*.py")
)
STARTED += [COMMANDS / "up.py", COMMANDS.parent / "store" / "migrations.py"]
TOLD_BY_UP = {"_say", "say", "UpError", "SchemaError", "SettingsError"}


def test_everything_that_luot_up_says_is_known() -> None:
    found = [
        text
        for module in STARTED
        for call in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(call, ast.Call) and call.args
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in TOLD_BY_UP
        for text in literal(call.args[0])
    ]
    assert len(found) > 20
    assert [text for text in found if said(text) == text] == []


def test_everything_that_a_snippet_says_is_known() -> None:
    scripts = PinnedScript("0.1.0", "/v0.1.0/counter.js", "sha384-abc")
    for preset in Preset:
        made = Snippet("https://a.example", "mytho", scripts, {"preset": preset.value})
        english, vietnamese = made.text(), made.text(said)
        ways = made.ways()
        assert all(way in vietnamese for way in ways.values())
        comments = re.findall("<!--(.*?)-->", vietnamese, re.DOTALL)
        assert len(comments) == len(re.findall("<!--", english))
        assert not [one for one in comments if re.search(r"\b(the|and|of)\b", one)]


def test_no_command_says_anything_past_the_language() -> None:
    unseen = []
    for module in sorted(COMMANDS.glob("*.py")):
        for call in ast.walk(ast.parse(module.read_text("utf-8"))):
            if (
                isinstance(call, ast.Call)
                and ast.unparse(call.func) in ("typer.echo", "typer.secho", "typer.confirm")
                and call.args
            ):
                texts = [text.removeprefix("luot ") for text in literal(call.args[0])]
                unseen += [(module.name, text) for text in texts if re.search("[a-z]{3}", text)]
    assert unseen == [("terminal.py", "luot: X")]


def test_every_translation_is_of_something_that_is_said() -> None:
    written = {
        text
        for module in (
            *COMMANDS.glob("*.py"),
            *COMMANDS.with_name("doctor").glob("*.py"),
            *COMMANDS.with_name("widget").glob("*.py"),
            *STARTED,
            *passed_on(),
        )
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
        for text in literal(node)
    }
    ours = list(FILE["messages"])[OF_THE_LIBRARY:]
    # What a snippet says stands in the code with its gaps.
    assert [
        text
        for text in ours
        if text not in written and re.sub(r"\{[a-z]+\}", SAMPLE, text) not in written
    ] == []


def test_a_translation_has_the_gaps_of_its_message() -> None:
    gap = re.compile(r"\{[a-z]+\}")
    for text, translation in FILE["messages"].items():
        assert sorted(gap.findall(translation)) == sorted(gap.findall(text)), text
    for text, translation in FILE["help"].items():
        default = re.search(r"\[default: ", text)
        assert bool(default) == ("[mặc định: " in translation), text
        options = re.compile(r"--[a-z-]+|LUOT_[A-Z_]+|`luot [^`]*`")
        assert set(options.findall(translation)) <= set(options.findall(text)), text


def test_the_audit_log_has_the_words_of_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"public_top": True, "role": "viewer", "hosts": ["a.example"], "unknown": 1}
    assert _action("import.undo") == "Hoàn tác nhập nhật ký máy chủ"
    assert _fields(changed).splitlines()[1:] == [
        "Vai trò: Người xem",
        "Tên miền: a.example",
        "unknown: 1",
    ]
    assert _fields(changed).splitlines()[0].endswith(": có")
    monkeypatch.setenv("LANG", "C")
    assert (_action("import.undo"), _fields(None)) == ("import.undo", "")
    assert _fields(changed).splitlines()[:2] == ["public_top: true", "role: viewer"]


@pytest.mark.parametrize(
    ("arguments", "language", "expected"),
    [
        ("site --help", "vi_VN.UTF-8", "Liệt kê các trang web."),
        ("site --help", "vi_VN.UTF-8", "Hiện trợ giúp này rồi kết thúc."),
        ("site ad", "vi_VN.UTF-8", "Không có lệnh 'ad'. Có phải 'add' không?"),
        ("up --port x", "vi_VN.UTF-8", "Giá trị của '--port' không hợp lệ: phải là một số nguyên"),
        ("site list", "vi_VN.UTF-8", "luot: chưa đặt LUOT_TOKEN; cần một khóa API"),
        ("up --data /dev/null/x", "vi_VN.UTF-8", "luot: không dùng được thư mục dữ liệu"),
        ("site list", "C", "luot: LUOT_TOKEN is not set; expected a token"),
        ("site ad", "de_DE.UTF-8", "No such command 'ad'."),
    ],
)
def test_who_types_a_command_reads_their_language(
    arguments: str, language: str, expected: str
) -> None:
    command = [sys.executable, "-m", "services.cli.main", *arguments.split()]
    environ = {"LANG": language, "PATH": "", "TERMINAL_WIDTH": "200", "PYTHONUTF8": "1"}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert expected in " ".join((ran.stdout + ran.stderr).split())


def test_no_failure_of_the_system_is_passed_on_as_python_writes_it() -> None:
    """`[Errno 2] No such file or directory: '/x'` is said as `reason` has it."""
    raw = []
    for module in sorted(COMMANDS.parent.rglob("*.py")):
        for handler in ast.walk(ast.parse(module.read_text("utf-8"))):
            if not isinstance(handler, ast.ExceptHandler) or handler.type is None:
                continue
            caught = ast.unparse(handler.type)
            if "OSError" not in caught:
                continue
            raw += [
                f"{module.relative_to(COMMANDS.parent)}: {ast.unparse(call)}"
                for call in ast.walk(handler)
                if isinstance(call, ast.Call)
                and not ast.unparse(call.func).startswith(("log", "_log"))
                for text in ast.walk(call)
                if isinstance(text, ast.FormattedValue)
                and ast.unparse(text.value) in (str(handler.name), f"str({handler.name})")
            ]
    assert raw == []
