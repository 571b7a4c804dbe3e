"""The commands of docs/install.md and docs/upgrade.md."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
INSTALL = DOCS / "install.md"
UPGRADE = DOCS / "upgrade.md"


def commands(page: Path, section: str) -> list[str]:
    """Return the blocks of commands of a section of a page, in their order."""
    text = page.read_text("utf-8")
    lines = re.MULTILINE | re.DOTALL
    found = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, lines)
    assert found, f"{page.name} has no section {section!r}"
    return re.findall(r"^```sh\n(.*?)^```$", found[1], lines)


def needs_network(block: str) -> bool:
    """Tell whether a block fetches something."""
    return bool(re.search(r"\bapt-get\b|\bpip install\b", block))
