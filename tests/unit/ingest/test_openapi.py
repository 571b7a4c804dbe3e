"""The description of ingest has the drop reasons of the code."""

import json

from services.ingest.drops import DropReason
from services.ingest.openapi import DOCUMENT, HEADER, with_reasons


def test_the_description_is_as_the_list_of_drop_reasons_makes_it() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text == with_reasons(text), "write it again: python -m services.ingest.openapi"


def test_each_mention_of_the_header_gets_every_reason() -> None:
    text = DOCUMENT.read_text("utf-8")
    outdated = text.replace('"bot"', '"robot"')
    assert text.count(HEADER) == 5
    assert with_reasons(outdated) == text
    assert json.loads(text)["paths"]["/hit.gif"]["get"]["responses"]["200"]["headers"][HEADER][
        "schema"
    ]["enum"] == list(DropReason)
