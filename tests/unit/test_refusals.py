"""What pages refuse is said in Vietnamese: every message that their code can make is known."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from services.api.dashboard.texts import refusals
from services.api.dashboard.texts.language import Language
from services.model.display import Lang

SERVICES = Path(__file__).parents[2] / "services"
OF_PAGES = (
    "api/access",
    "api/counter/paths.py",
    "api/dashboard",
    "api/sites",
    "api/stats",
    "model",
)
OF_PROGRAMS = (
    "api/access/group_roles.py",  # a setting
    "api/access/session_routes.py",
    "api/sites/exports.py",
    "api/sites/other_views.py",
    "api/sites/tail.py",
    "api/stats/reports/mailer.py",  # a setting
    "api/stats/v2",
    "model/cluster_address.py",  # a setting
    "model/host_list.py",  # settings
    "model/sentinel_address.py",  # a setting
)
"""What no page can be refused with."""
FIELDS_OF_PROGRAMS = {"authorization", "csrf", "interval", "metrics", "site_id"}
"""What no form or address of a page has."""
ANYTHING = {"X", "X: X", "X; expected X", "X is X; X"}
"""What is put together of texts that are tested where they are."""
REFUSING = {"bad_request", "ValueError", "unavailable", "MailError"}
VI = Language(Lang.VI)


def modules() -> Iterator[str]:
    """Yield the modules whose refusals a page may say, by their paths in services/."""
    for place in OF_PAGES:
        of = SERVICES / place
        for path in [of] if of.is_file() else sorted(of.rglob("*.py")):
            module = path.relative_to(SERVICES).as_posix()
            if not module.startswith(OF_PROGRAMS):
                yield module


def samples(module: str) -> Iterator[str]:
    """Yield the messages of the refusals of a module, each value as X."""
    for call in ast.walk(ast.parse((SERVICES / module).read_text("utf-8"))):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        messages: list[ast.expr] = []
        if getattr(call.func, "id", "") in REFUSING:
            messages = [call.args[-1]]
        elif getattr(call.func, "id", "") == "ApiError" and isinstance(call.args[1], ast.Dict):
            messages = call.args[1].values
        for message in messages:
            if isinstance(message, ast.Constant):
                yield str(message.value)
            elif isinstance(message, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "X"
                    for part in message.values
                )


def test_every_refusal_of_a_page_is_said_in_vietnamese() -> None:
    found = {(module, text) for module in modules() for text in samples(module)}
    assert len(found) > 150
    assert [
        (module, text)
        for module, text in sorted(found)
        if text not in ANYTHING and refusals.translated(text, Lang.VI) is None
    ] == []


def test_a_translation_has_the_gaps_of_its_message_and_no_others() -> None:
    read = tomllib.loads(
        files("services.api.dashboard").joinpath("refused", "vi.toml").read_text("utf-8")
    )
    gap = re.compile(r"\{[a-z]+\}")
    for text, translation in read["messages"].items():
        assert set(gap.findall(translation)) <= set(gap.findall(text)), text
        assert re.search(r"[^\x00-\x7f]", translation), text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            (
                "'x y': Value error, hosts: 'x y' is not a host name; expected for example"
                " 'mytho.example', '*.mytho.example' or '*', without scheme"
            ),
            (
                "'x y': 'x y' không phải là tên miền; ví dụ: 'mytho.example', '*.mytho.example'"
                " hoặc '*', không có https://"
            ),
        ),
        ("'a: b': Field required", "'a: b': bắt buộc phải nhập"),
        ("has the same page as line 7", "trùng trang với dòng 7"),
        ("'abc': String should have at most 2 characters", "'abc': chỉ được dài tối đa 2 ký tự"),
    ],
)
def test_values_stand_in_the_translation(text: str, said: str) -> None:
    assert VI.told(text) == said
    assert VI.speaks(text) is Lang.VI
    assert Language(Lang.EN).told(text) == text


def test_what_is_not_known_stays_and_is_marked_as_english() -> None:
    assert VI.told("nothing of ours: at all") == "nothing of ours: at all"
    assert VI.speaks("nothing of ours: at all") is Lang.EN


def fields(module: str) -> Iterator[str]:
    """Yield the names of what the refusals of a module are about."""
    for call in ast.walk(ast.parse((SERVICES / module).read_text("utf-8"))):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        named: list[ast.expr | None] = []
        if getattr(call.func, "id", "") == "bad_request":
            named = [call.args[0]]
        elif getattr(call.func, "id", "") == "ApiError" and isinstance(call.args[1], ast.Dict):
            named = list(call.args[1].keys)
        for one in named:
            if isinstance(one, ast.Constant):
                yield str(one.value)


@pytest.mark.parametrize("lang", Lang)
def test_what_a_refusal_is_about_is_said_in_words_and_not_as_programs_name_it(lang: Lang) -> None:
    found = {field for module in modules() for field in fields(module)}
    assert len(found) > 40
    named = Language(lang).field
    assert {field for field in found - FIELDS_OF_PROGRAMS if named(field) == field} == set()
