"""What forms refuse is said in Vietnamese: every message that their code can make is known."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from services.api.dashboard import refusals
from services.api.dashboard.language import Language
from services.model.display import Lang

SERVICES = Path(__file__).parents[2] / "services"
OF_FORMS = (
    "api/access/rights.py",
    "api/access/tokens.py",
    "api/access/users.py",
    "api/counter/paths.py",
    "api/dashboard/forms.py",
    "api/sites/balances/checks.py",
    "api/sites/balances/columns.py",
    "api/sites/balances/sheet.py",
    "api/sites/balances/table.py",
    "api/sites/corrections/query.py",
    "api/sites/corrections/service.py",
    "api/sites/groups/service.py",
    "api/sites/new_slug.py",
    "api/sites/titles/given.py",
    "api/sites/titles/title_file.py",
    "api/stats/filters.py",
    "api/stats/spans.py",
    "model/calendar.py",
    "model/colours.py",
    "model/display.py",
    "model/group.py",
    "model/page_aliases.py",
    "model/path_patterns.py",
    "model/site.py",
)
REFUSING = {"bad_request", "ValueError"}
VI = Language(Lang.VI)


def samples(module: str) -> Iterator[str]:
    """Yield the messages of the refusals of a module, each value as X."""
    for call in ast.walk(ast.parse((SERVICES / module).read_text("utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in REFUSING and call.args:
            message = call.args[-1]
            if isinstance(message, ast.Constant):
                yield str(message.value)
            elif isinstance(message, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "X"
                    for part in message.values
                )


@pytest.mark.parametrize("module", OF_FORMS)
def test_every_refusal_of_a_form_is_said_in_vietnamese(module: str) -> None:
    found = list(samples(module))
    assert found
    assert [text for text in found if refusals.translated(text, Lang.VI) is None] == []


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
