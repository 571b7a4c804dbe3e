"""What a browser would send of the forms of a page."""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Self

FormFields = dict[str, list[str]]


class PageForms(HTMLParser):
    """Collects the fields of each form, by the address it is sent to."""

    def __init__(self) -> None:
        super().__init__()
        self.by_address: dict[str, FormFields] = {}
        self._fields: FormFields = {}
        self._select = self._area = ""

    @classmethod
    def of(cls, page: str) -> Self:
        """Read a page."""
        forms = cls()
        forms.feed(page)
        forms.close()
        return forms

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._fields = self.by_address.setdefault(given.get("action") or "", {})
        elif tag == "select":
            self._select = name
        elif tag == "option":
            if "selected" in given or self._select not in self._fields:
                self._fields[self._select] = [value]
        elif tag == "textarea":
            self._area = name
            self._fields[name] = [""]
        elif tag == "input" and name and _is_sent(given):
            self._fields.setdefault(name, []).append(value)

    def handle_data(self, data: str) -> None:
        if self._area:
            self._fields[self._area][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


def _is_sent(given: Mapping[str, str | None]) -> bool:
    if given.get("type") in ("checkbox", "radio") and "checked" not in given:
        return False
    return "disabled" not in given


def fields_of(page: str, address: str) -> FormFields:
    """Return what a browser would send of the form with an address."""
    return PageForms.of(page).by_address[address]
