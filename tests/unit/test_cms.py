"""The lines for DNN are those of `luot snippet`, and the page names each system of deploy/cms."""

import re
from pathlib import Path

from services.widget.snippet import PinnedScript, Snippet

ROOT = Path(__file__).parents[2]
CMS = ROOT / "deploy/cms"
SNIPPET = Snippet("https://thongke.example.vn", "mytho", PinnedScript("", "", "")).ways()


def test_the_lines_for_dnn() -> None:
    lines = re.sub(r"<!--.*?-->\n", "", (CMS / "dnn/luot.html").read_text("utf-8")).split()
    assert " ".join(lines) == f"{SNIPPET['script']} {SNIPPET['block']}"


def test_the_page_names_each_module() -> None:
    text = (ROOT / "docs/cms.md").read_text("utf-8")
    for system in CMS.iterdir():
        assert f"deploy/cms/{system.name}" in text
