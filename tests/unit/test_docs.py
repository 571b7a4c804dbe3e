"""The documents tell the truth: whatever they name exists."""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from fastapi import FastAPI

from services.api.counter import routes
from services.api.openapi import public
from services.cli.main import app
from services.ingest.drops import DropReason
from services.ingest.pipeline import STEPS
from services.metrics import CATALOGUE
from services.model.lines import PERIODS
from services.runtime.metric_kinds import HistogramSpec
from services.settings import NAMES, PREFIX
from services.widget import scripts

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
OUTSIDE = {"LUOT_TEST_PICTURES", "LUOT_TEST_REQUIRE_ALL", "LUOT_TEST_THREE_BROKERS"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"")
_PATH = re.compile(
    r"(?:services|tests|deploy|docs|benchmarks|dashboards|requirements|\.ci)/[\w./*-]*"
    r"|README\.md|CONTRIBUTING\.md|CHANGELOG\.md|SECURITY\.md|Makefile|pyproject\.toml"
    r"|docker-compose(?:\.many)?\.yml"
)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=place)


def fences(document: Path, *languages: str) -> list[str]:
    text = document.read_text("utf-8")
    return [body for language, body in _FENCE.findall(text) if language in languages]


def prose(document: Path) -> str:
    return _FENCE.sub("", document.read_text("utf-8"))


def inline(document: Path) -> list[str]:
    return _INLINE.findall(prose(document))


def command_lines(document: Path) -> Iterator[list[str]]:
    """Return the words of every command that a document shows, prompts and comments left out."""
    lines = [
        line for block in fences(document, "sh") for line in block.replace("\\\n", " ").splitlines()
    ]
    for line in [*lines, *inline(document)]:
        for part in re.split(r"\s[|&;]+\s", line):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*|\$|sudo", words[0]):
                del words[0]
            if words:
                yield words


# By deploy/make-secrets.
_MADE_AT_START = "deploy/secrets"


@each_document
def test_every_file_named_exists(document: Path) -> None:
    named = [text for text in inline(document) if _PATH.fullmatch(text)]
    missing = [
        path
        for path in named
        if not any(ROOT.glob(path.rstrip("/"))) and not path.startswith(_MADE_AT_START)
    ]
    assert missing == []


@each_document
def test_every_local_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in (first or second for first, second in _LINK.findall(prose(document))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def luot() -> Any:
    return typer.main.get_command(app)


@each_document
def test_every_command_and_option_of_luot_exists(document: Path) -> None:
    unknown = []
    for words in command_lines(document):
        if words[0].rpartition("/")[2] != "luot":
            continue
        command: Any = luot()
        options = {"--help", *(name for param in command.params for name in param.opts)}
        for word in words[1:]:
            if word.startswith("-") and word != "-":
                if word.partition("=")[0] not in options:
                    unknown.append(" ".join(words))
            elif hasattr(command, "commands"):
                if word not in command.commands:
                    unknown.append(" ".join(words))
                    break
                command = command.commands[word]
                options = {"--help"}
                for param in command.params:
                    options |= {*param.opts, *param.secondary_opts}
    assert unknown == []


@each_document
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        word
        for words in command_lines(document)
        if words[0] == "make"
        for word in words[1:]
        if "=" not in word
    }
    assert named <= targets


@each_document
def test_every_setting_named_is_a_setting(document: Path) -> None:
    text = document.read_text("utf-8")
    named = set(re.findall(r"\bLUOT_[A-Z][A-Z_]*[A-Z]\b", text))
    known = {PREFIX + name for name in NAMES}
    known |= {f"{name}_FILE" for name in known} | OUTSIDE
    assert named <= known


@each_document
def test_every_metric_named_is_in_the_catalogue(document: Path) -> None:
    named = {
        name
        for text in (*inline(document), *fences(document, "", "promql", "yaml"))
        for name in re.findall(r"\bluot_[a-z_]+\b", text)
    }
    known = {spec.name for spec in CATALOGUE}
    for spec in CATALOGUE:
        if isinstance(spec, HistogramSpec):
            known |= {f"{spec.name}_{part}" for part in ("bucket", "sum", "count")}
    assert named <= known


def test_no_address_that_operators_are_shown_is_on_a_blocklist() -> None:
    """Documents, the examples of web servers, and what the code names."""
    files = [*DOCUMENTS, *(ROOT / "deploy").rglob("*"), *ROOT.glob("docker-compose*.yml")]
    files += [path for kind in ("py", "js") for path in (ROOT / "services").rglob(f"*.{kind}")]
    hosts = {
        name
        for path in files
        if path.is_file()
        for name in re.findall(r"\b([\w-]+)\.example\.vn\b", path.read_text("utf-8"))
    }
    assert hosts >= {"thongke"}
    assert not hosts & {"stats", "analytics", "tracking"}, "EasyPrivacy: /stats.*/event"


@each_document
def test_every_attribute_of_the_script_is_one_it_reads(document: Path) -> None:
    counter = "".join(
        scripts.built(name).decode() for name in scripts.FILES if name.endswith(".js")
    )
    html = "\n".join([*fences(document, "html"), *inline(document)])
    for name in set(re.findall(r"\bdata-([a-z-]+)", html)):
        if name != "site" and f"data-{name}" not in counter:
            camel = re.sub(r"-([a-z])", lambda found: found[1].upper(), name)
            assert re.search(rf"\b{camel}\b", counter), f"data-{name}"
    counts = {"online", "bots", "guests", "peak", *PERIODS}
    assert set(re.findall(r"data-luot=\"([^\"]*)\"", html)) <= counts


def test_the_answer_in_the_readme_has_the_fields_of_the_api() -> None:
    (block,) = fences(ROOT / "README.md", "json")
    answer = json.loads(block)
    api = FastAPI()
    public.describe_public(api)
    numbers = api.openapi()["paths"][routes.PATH]["get"]["responses"]["200"]
    assert list(answer) == list(numbers["content"]["application/json"]["schema"]["properties"])
    assert set(answer["peak"]) == {"online", "at"}
    assert all(set(views) == {"views", "today"} for views in answer["paths"].values())


def test_the_readme_names_every_reason_why_a_hit_does_not_count() -> None:
    (sentence,) = [
        line for line in prose(ROOT / "README.md").splitlines() if "X-Luot-Dropped" in line
    ]
    named = set(_INLINE.findall(sentence.partition("reason why not")[2]))
    # What cannot be read is answered with 400, which says enough.
    assert named == {reason.value for reason in DropReason} - {DropReason.UNREADABLE}


def test_every_step_of_a_hit_is_named_in_order_by_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    places = [text.find(f"`{step.__name__}`") for step in STEPS]
    assert -1 not in places
    assert places == sorted(places)


def test_every_decision_is_in_the_index_and_names_what_was_rejected() -> None:
    records = {path.name for path in (ROOT / "docs/decisions").glob("*.md")} - {"README.md"}
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    assert set(re.findall(r"^\| \[.+\]\(([\w-]+\.md)\) \|", index, re.MULTILINE)) == records
    for name in records:
        text = (ROOT / "docs/decisions" / name).read_text("utf-8")
        parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Rejected", "Consequences"], name
        assert len(text.split()) < 500, name


def test_pictures_are_sound_and_small() -> None:
    pictures = sorted((ROOT / "docs/img").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 200_000, picture.name
        if picture.suffix == ".svg":
            ElementTree.fromstring(picture.read_text("utf-8"))


def test_a_wrong_document_would_be_noticed(tmp_path: Path) -> None:
    document = tmp_path / "wrong.md"
    document.write_text(
        "`services/ingest/none.py` [x](none.md) [y](#none) `luot sweep` `luot up --fast`\n"
        '`LUOT_NONE` `luot_none_total` `make coffee`\n```html\n<b data-luot="noon"></b>\n```\n'
    )
    for check in (
        test_every_file_named_exists,
        test_every_local_link_leads_somewhere,
        test_every_command_and_option_of_luot_exists,
        test_every_make_target_exists,
        test_every_setting_named_is_a_setting,
        test_every_metric_named_is_in_the_catalogue,
        test_every_attribute_of_the_script_is_one_it_reads,
    ):
        with pytest.raises(AssertionError):
            check(document)
